"""Several models as one: the first that answers, in the order configured. ADR 66."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from time import monotonic
from typing import cast

from llama_mapper.domain.kernel.errors import ModelServingError
from llama_mapper.domain.mapping.generation.faults import serving_error
from llama_mapper.domain.mapping.generation.ports import Generated, Generation, GenerationFault, Prompt

_SHARE = 2 / 3
_OF_THE_SERVER = frozenset(
    {
        GenerationFault.UNAVAILABLE,
        GenerationFault.TLS_FAILED,
        GenerationFault.MODEL_NOT_LOADED,
        GenerationFault.OVERLOADED,
        GenerationFault.TIMEOUT,
    }
)


@dataclass(slots=True, eq=False)
class _Place:
    generation: Generation
    failures: int = 0
    rests_until: float = 0.0
    fault: GenerationFault = GenerationFault.UNAVAILABLE


class FailingOver:
    """Keeps `Generation` over others, which it owns; a prompt goes to the next where one comes to a fault.

    Each but the last gets two thirds of the time that is left, the last all of it. One that failed as a whole
    `failures` calls in a row (away, not loaded, overloaded, too late) is passed over for `rest_s` seconds, then asked
    again. Where all failed, the fault is the first's.
    """

    def __init__(
        self,
        generations: Sequence[Generation],
        *,
        failures: int = 3,
        rest_s: float = 10.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        if not generations:
            raise ValueError("there is no model")
        self._places = [_Place(generation) for generation in generations]
        self._failures = failures
        self._rest_s = rest_s
        self._clock = clock

    @property
    def name(self) -> str:
        """`models` and the names of all, in order."""
        return "models/" + ",".join(place.generation.name.replace("/", ":") for place in self._places)

    async def model_version(self) -> str:
        """The versions of all, in order, separated by commas."""
        return ",".join([await place.generation.model_version() for place in self._places])

    async def model_versions(self) -> dict[str, str]:
        """See `SeveralModels.model_versions`."""
        return {place.generation.name: await place.generation.model_version() for place in self._places}

    async def unready(self) -> GenerationFault | None:
        """None if one can be asked, else why the first cannot."""
        faults = [await place.generation.unready() for place in self._places]
        return None if None in faults else faults[0]

    async def states(self) -> dict[str, GenerationFault | None]:
        """Why each cannot be asked now, by name."""
        return {place.generation.name: await place.generation.unready() for place in self._places}

    async def generate(self, prompts: Sequence[Prompt], *, within_s: float) -> Sequence[Generated | GenerationFault]:
        """The first good answer to each prompt; those that one model answered stay answered."""
        until = monotonic() + within_s
        answers: list[Generated | GenerationFault | None] = [None] * len(prompts)
        open_ones = list(range(len(prompts)))
        for at, place in enumerate(self._places):
            if not open_ones:
                break
            if self._clock() < place.rests_until:
                given: Sequence[Generated | GenerationFault] = [place.fault] * len(open_ones)
            else:
                left = until - monotonic()
                share = left if at + 1 == len(self._places) else left * _SHARE
                given = await place.generation.generate([prompts[index] for index in open_ones], within_s=share)
                self._heed(place, given)
            for index, answer in zip(open_ones, given, strict=True):
                if isinstance(answer, Generated):
                    answers[index] = (
                        answer if answer.answered_by else replace(answer, answered_by=place.generation.name)
                    )
                elif answers[index] is None:
                    answers[index] = answer
            open_ones = [index for index in open_ones if not isinstance(answers[index], Generated)]
        return [GenerationFault.UNAVAILABLE if answer is None else answer for answer in answers]

    async def stream(self, prompt: Prompt, *, within_s: float) -> AsyncGenerator[str, None]:
        """The text of the first that begins one; after its first piece a break is told and not mended."""
        until = monotonic() + within_s
        first: ModelServingError | None = None
        for at, place in enumerate(self._places):
            if self._clock() < place.rests_until:
                first = first or serving_error(place.generation.name, place.fault)
                continue
            left = until - monotonic()
            share = left if at + 1 == len(self._places) else left * _SHARE
            began = False
            try:
                stream = cast("AsyncGenerator[str, None]", place.generation.stream(prompt, within_s=share))
                async with aclosing(stream) as pieces:
                    async for piece in pieces:
                        began = True
                        yield piece
                return
            except ModelServingError as error:
                if began:
                    raise
                first = first or error
        raise first or serving_error(self.name, GenerationFault.UNAVAILABLE)

    async def close(self) -> None:
        """Close them all."""
        for place in self._places:
            await place.generation.close()

    def _heed(self, place: _Place, given: Sequence[Generated | GenerationFault]) -> None:
        faults = [answer for answer in given if isinstance(answer, GenerationFault)]
        if len(faults) < len(given) or not _OF_THE_SERVER.issuperset(faults):
            place.failures = 0
            return
        place.fault = faults[0]
        place.failures += 1
        if place.failures >= self._failures:
            place.rests_until = self._clock() + self._rest_s
