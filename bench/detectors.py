"""The shipped detectors' cost, each alone, in this process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from time import process_time

from bench.statistics_of import quantile, show
from llama_mapper.entrypoints.containers.orchestration import SCANNERS

_SENTENCE = "On Tuesday we met Anna at the office to plan the release, and Ben will write the notes for everyone. "
_TEXTS = {"500 characters": (_SENTENCE * 6)[:500], "10 kilobytes": (_SENTENCE * 110)[:10_240]}


async def run() -> None:
    """Processor time a scan, median, against one pass of a compiled regular expression over the same text."""
    import re

    word = re.compile(r"\b\w+\b")
    for name, text in _TEXTS.items():
        show(f"floor: splitting into words, {name}", f"{_median_ms(partial(word.findall, text)):.3f} ms")
    for detector, factory in SCANNERS.items():
        module, _, function = factory.partition(":")
        scanner = getattr(import_module(module), function)()
        scanner.load()
        costs = [f"{_median_ms(partial(scanner.scan, text)):.2f} ms" for text in _TEXTS.values()]
        show(f"{detector}, {' and '.join(_TEXTS)}", *costs)


def _median_ms(call: Callable[[], object], rounds: int = 15) -> float:
    call()
    samples = []
    for _ in range(rounds):
        started = process_time()
        call()
        samples.append((process_time() - started) * 1e3)
    return quantile(samples, 0.5)
