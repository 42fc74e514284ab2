"""The base of every store's state machine."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from llama_mapper.domain.kernel.errors import ServiceError
from tests.support.loops import LoopThread
from tests.support.store_places import StorePlace

Result = TypeVar("Result")

TENANTS = st.sampled_from(["acme", "globex", "a"])
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=12)
MOMENTS = st.datetimes(datetime(1999, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds it

_SETTINGS = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def machine_settings(**more: Any) -> settings:
    """The settings of a state machine, with these instead of the usual ones."""
    return settings(_SETTINGS, **more)


class StoreMachine(RuleBasedStateMachine):
    """A store beside a model of it; each example has an empty database of `context` as `self.database`."""

    context: ClassVar[str]
    place: ClassVar[StorePlace]
    loop: ClassVar[LoopThread]

    def __init__(self) -> None:
        super().__init__()
        self.database = self.do(self.place.fresh(self.context))

    def do(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """The coroutine's result."""
        return self.loop.run(coroutine)

    def code_of(self, coroutine: Coroutine[Any, Any, object]) -> str | None:
        """The code of the error that the coroutine raises, or None if it succeeds."""
        try:
            self.do(coroutine)
        except ServiceError as error:
            return error.error_code.value
        return None

    def teardown(self) -> None:
        """Close the database."""
        self.do(self.database.close())


def run_machine(machine: type[StoreMachine], place: StorePlace, loop: LoopThread, **more: Any) -> None:
    """Let Hypothesis look for a sequence of calls after which the store at `place` differs from its model.

    `more` are its settings, where a machine needs longer sequences than others.
    """
    there = type(f"{machine.__name__}On{place.kind.title()}", (machine,), {"place": place, "loop": loop})
    run_state_machine_as_test(there, settings=settings(_SETTINGS, **more))
