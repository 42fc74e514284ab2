"""A circuit breaker: after failures in a row nobody asks for a while; then a few ask, and decide. ADR 49."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from time import monotonic
from types import MappingProxyType

from llama_mapper.domain.contracts.detectors import BreakerState
from llama_mapper.domain.kernel.breakers import BreakerBoard


class CircuitBreaker:
    """Closed: everybody is admitted. Open: nobody, for `open_s`. Half open: `probes` callers at one time.

    Whoever is admitted gets a ticket and gives it back exactly once, to `succeeded`, `failed` or `abandoned` (nothing
    was learnt). `failures` in a row open the breaker. While it is half open one success closes it and one failure
    opens it again, for the same time. Tickets from before the last change of state are worth nothing: what a call
    that began earlier comes to says nothing about now.

    With a `board`, openings are told to the other processes and theirs are heeded, each once; after that the time is
    our own. `clock` is the board's.
    """

    __slots__ = (
        "_board",
        "_clock",
        "_failures",
        "_generation",
        "_heeded",
        "_limit",
        "_name",
        "_on_change",
        "_open_s",
        "_opened",
        "_probes",
        "_probes_out",
        "_state",
        "_transitions",
        "_until",
    )

    def __init__(
        self,
        name: str,
        *,
        failures: int,
        open_s: float,
        probes: int,
        clock: Callable[[], float] = monotonic,
        board: BreakerBoard | None = None,
        on_change: Callable[[BreakerState], None] | None = None,
    ) -> None:
        self._name = name
        self._limit = failures
        self._open_s = open_s
        self._probes = probes
        self._clock = clock
        self._board = board
        self._on_change = on_change
        self._state = BreakerState.CLOSED
        self._generation = 0
        self._failures = 0
        self._opened = 0
        self._until = 0.0
        self._heeded = -math.inf
        self._probes_out = 0
        self._transitions = dict.fromkeys(BreakerState, 0)

    @property
    def state(self) -> BreakerState:
        """The state now; half open from the moment on at which the open time is over."""
        return self._seen(self._clock())

    @property
    def failures(self) -> int:
        """Failures in a row since the last success."""
        return self._failures

    @property
    def transitions(self) -> Mapping[BreakerState, int]:
        """How often each state was entered."""
        return MappingProxyType(self._transitions)

    def refusal_s(self) -> float | None:
        """None if `admit` would admit now; else the seconds until that may change, 0 if that is not known."""
        now = self._clock()
        state = self._seen(now)
        if state is BreakerState.OPEN:
            return self._until - now
        if state is BreakerState.HALF_OPEN and self._state is state and self._probes_out >= self._probes:
            return 0.0
        return None

    def admit(self) -> int | None:
        """A ticket, or None: do not ask."""
        state = self._seen(self._clock())
        if state is BreakerState.CLOSED:
            return self._generation
        if state is BreakerState.OPEN:
            return None
        if self._state is BreakerState.OPEN:
            self._become(BreakerState.HALF_OPEN)
        if self._probes_out >= self._probes:
            return None
        self._probes_out += 1
        return self._generation

    def succeeded(self, ticket: int) -> None:
        """The call was answered."""
        if ticket != self._generation:
            return
        self._failures = 0
        if self._state is BreakerState.HALF_OPEN:
            self._opened = 0
            self._become(BreakerState.CLOSED)
            if self._board is not None:
                self._board.publish(self._name, 0.0, 0)

    def failed(self, ticket: int) -> None:
        """The call failed, and the detector is to blame."""
        if ticket != self._generation:
            return
        self._failures += 1
        if self._state is BreakerState.HALF_OPEN or self._failures >= self._limit:
            self._opened += 1
            self._until = self._heeded = self._clock() + self._open_s
            self._become(BreakerState.OPEN)
            if self._board is not None:
                self._board.publish(self._name, self._open_s, self._opened)

    def abandoned(self, ticket: int) -> None:
        """The call ended and says nothing about the detector."""
        if ticket == self._generation and self._state is BreakerState.HALF_OPEN:
            self._probes_out -= 1

    def end_wait(self) -> None:
        """Something else says that the detector is back: the open time is over now."""
        self._until = min(self._until, self._clock())

    def _seen(self, now: float) -> BreakerState:
        if self._board is not None and self._state is not BreakerState.HALF_OPEN:
            self._heed(self._board, now)
        if self._state is BreakerState.OPEN and now >= self._until:
            return BreakerState.HALF_OPEN
        return self._state

    def _heed(self, board: BreakerBoard, now: float) -> None:
        shared = board.read(self._name)
        # The same opening may be told with slightly different times: half the open time tells two apart.
        if shared is None or shared.open_until <= max(now, self._heeded + self._open_s / 2):
            return
        self._heeded = shared.open_until
        self._until = min(shared.open_until, now + self._open_s)
        self._opened = shared.opened_count
        self._become(BreakerState.OPEN)

    def _become(self, state: BreakerState) -> None:
        self._generation += 1
        self._probes_out = 0
        if state is self._state:
            return
        self._state = state
        self._transitions[state] += 1
        if self._on_change is not None:
            self._on_change(state)
