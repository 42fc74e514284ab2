"""What a soak measured, and which promises that keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.soak.cast import BREAKER_OPEN_S, CAST
from bench.soak.watch import Breakers, Sample, at_end, at_quarter, slope
from bench.statistics_of import quantile

RECOVERY_LIMIT_S = 30.0 + BREAKER_OPEN_S
FILES_MORE = 16
"""Files and sockets that may be open beyond a tenth more than before: which pools are full is a matter of chance."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What came back, with at most twenty of each kind of fault in words."""

    sent: int
    answered: int
    by_status: Mapping[str, int]
    outcomes: Mapping[str, Mapping[str, int]]
    lost: Sequence[str]
    refused: Sequence[str]
    broken: Sequence[str]
    broken_count: int


@dataclass(frozen=True, slots=True)
class Outage:
    """The death and return of Valkey; None: it did not come about."""

    answers: int
    noted_s: float | None
    gone_s: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """All of it. `fire_s` is the time with faults, `latencies_s` those of that time, `recovery_s` from the end of the
    faults to the last answer that lacked a detector (None: there was no end to them)."""

    answers: Answers
    under_fire: int
    fire_s: float
    latencies_s: Sequence[float]
    samples: Sequence[Sample]
    files_before: int
    files_after: int
    outage: Outage
    breakers_under_fire: Breakers
    breakers_after: Breakers
    recovery_s: float | None
    unready: Sequence[str]
    notes_after: Mapping[str, str]
    growth_limit: float

    @property
    def memory_mb(self) -> tuple[float, float]:
        """At the 25 % mark and at the end."""
        return at_quarter(self.samples, _memory), at_end(self.samples, _memory)

    @property
    def memory_per_thousand_mb(self) -> float:
        """Slope of the memory after the 25 % mark, in MB for each thousand requests."""
        later = [each for each in self.samples if each.progress >= 0.25]
        return slope((each.answered / 1e3, each.memory_mb) for each in later)

    @property
    def rate(self) -> float:
        """Answers a second under fire."""
        return self.under_fire / self.fire_s


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise, whether it was kept, and what was seen."""

    name: str
    kept: bool
    seen: str


def promises(figures: Figures) -> Iterator[Promise]:
    """All promises, judged."""
    answers, outage = figures.answers, figures.outage
    yield Promise(
        "every request is answered, with 200 or 206",
        not answers.lost and not answers.refused and answers.answered == answers.sent,
        f"{answers.answered} of {answers.sent}: "
        + ", ".join(f"{count} with {status}" for status, count in sorted(answers.by_status.items())),
    )
    yield Promise(
        "every record names five detectors, its coverage and findings are right",
        answers.broken_count == 0,
        f"{answers.broken_count} wrong",
    )
    yield _breakers(figures)
    yield _memory_promise(figures)
    yield _files(figures)
    yield Promise(
        "Valkey's death is noted, and nobody is refused for it",
        outage.noted_s is not None and outage.answers > 0 and not figures.unready,
        f"noted after {_seconds(outage.noted_s)}; {outage.answers} answers without it; "
        f"unready {len(figures.unready)} times",
    )
    yield Promise("the note goes when Valkey is back", outage.gone_s is not None, f"after {_seconds(outage.gone_s)}")
    yield Promise(
        f"all five answer again within {RECOVERY_LIMIT_S:.0f} s of the end of the faults",
        figures.recovery_s is not None and figures.recovery_s <= RECOVERY_LIMIT_S,
        f"after {_seconds(figures.recovery_s)}",
    )
    yield Promise("in the end nothing is noted", not figures.notes_after, str(dict(figures.notes_after) or "nothing"))


def _breakers(figures: Figures) -> Promise:
    fire, after = figures.breakers_under_fire, figures.breakers_after
    opened = {part.name: fire.opened(part.name) for part in CAST}
    steady = [part.name for part in CAST if part.fault is None]
    kept = (
        opened["hanging"] > 0
        and opened["flapping"] > 0
        and not any(opened[name] for name in steady)
        and all(after.closed(part.name) for part in CAST)
    )
    seen = ", ".join(f"{name} {count}" for name, count in opened.items())
    return Promise(
        "breakers open on hanging and flapping, never on steady, and close in the end", kept, f"opened: {seen}"
    )


def _memory_promise(figures: Figures) -> Promise:
    quarter, end = figures.memory_mb
    growth = end / quarter - 1.0 if quarter else 0.0
    return Promise(
        f"memory grows by less than {figures.growth_limit:.0%} after the 25 % mark",
        growth < figures.growth_limit,
        f"{quarter:.1f} MB → {end:.1f} MB, {growth:+.1%}; {figures.memory_per_thousand_mb:+.2f} MB a thousand requests",
    )


def _files(figures: Figures) -> Promise:
    early = max(each.files for each in figures.samples[: max(1, _first_after_quarter(figures.samples))])
    late = max(each.files for each in figures.samples)
    kept = late <= early * 1.1 + FILES_MORE and figures.files_after <= early
    return Promise(
        "open files and sockets stay level, and are given back",
        kept,
        f"before {figures.files_before}, most until 25 % {early}, most {late}, after {figures.files_after}",
    )


def _first_after_quarter(samples: Sequence[Sample]) -> int:
    return next((place for place, each in enumerate(samples) if each.progress > 0.25), len(samples))


def _memory(sample: Sample) -> float:
    return sample.memory_mb


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f} s"


def latency_ms(figures: Figures, share: float) -> float:
    """A quantile of the time from sending to the whole answer, under fire."""
    return quantile(figures.latencies_s, share) * 1e3
