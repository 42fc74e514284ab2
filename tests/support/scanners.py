"""Scanners that behave in one way each, good or bad, for the tests of the worker processes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from llama_mapper.adapters.orchestration.scanners.scanner import ScannerNotInstalled
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inspection, RawFinding

HERE = "tests.support.scanners"


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Scripted:
    """Does `behaviour` with each text, after `loading`."""

    name: str
    behaviour: Callable[[str], Inspection]
    loading: Callable[[], None] = _nothing
    cost: float = 0.01

    @property
    def descriptor(self) -> DetectorDescriptor:
        """Declares nothing but its name and cost."""
        return DetectorDescriptor(self.name, "test", "1", ("pii.contact",), (), (), self.cost)

    def load(self) -> None:
        """Do what this scanner does while it loads."""
        self.loading()

    def scan(self, text: str) -> Inspection:
        """Do what this scanner does with a text."""
        return self.behaviour(text)


def _spans(text: str) -> Inspection:
    """A finding for every word, with its length as its label."""
    findings, at = [], 0
    for word in text.split(" "):
        findings.append(RawFinding(f"LEN{len(word)}", 0.5, at, at + len(word)))
        at += len(word) + 1
    return Inspection(tuple(findings), "en")


def _nap(text: str) -> Inspection:
    time.sleep(0.2)
    return Inspection()


def _spin(text: str) -> Inspection:
    until = time.perf_counter() + 0.4
    while time.perf_counter() < until:
        sum(range(1000))
    return Inspection()


def _hang(text: str) -> Inspection:
    while True:
        time.sleep(0.01)


def _hold_lock(text: str) -> Inspection:
    # One C call that never lets another Python thread run.
    return Inspection((RawFinding(str(sum(range(10**12))), 1.0),))


def _leak(text: str) -> Inspection:
    raise ValueError(f"cannot digest {text}")


def _exit(text: str) -> Inspection:
    sys.exit(3)


def _die(text: str) -> Inspection:
    os._exit(7)


def _chatter(text: str) -> Inspection:
    print(text * 100)
    sys.stderr.write(text * 100)
    os.write(1, text.encode())
    return Inspection((RawFinding("TALKED", 1.0),))


def _wrong(text: str) -> Inspection:
    return Inspection((RawFinding("BEYOND", 0.5, 0, len(text) + 1),))


def _flood(text: str) -> Inspection:
    return Inspection(tuple(RawFinding("F", (i % 100) / 100, 0, 1) for i in range(30_000)))


def _environment(text: str) -> Inspection:
    return Inspection(tuple(RawFinding(name, 1.0) for name in os.environ))


def _missing() -> None:
    raise ScannerNotInstalled("install llama-mapper[detectors]")


def _broken() -> None:
    raise ImportError("libfoo.so: no such file")


def _slowly() -> None:
    time.sleep(0.7)


def _die_loading() -> None:
    os._exit(9)


def noop() -> Scripted:
    return Scripted("noop", lambda text: Inspection())


def noop2() -> Scripted:
    return Scripted("noop2", lambda text: Inspection())


def noop3() -> Scripted:
    return Scripted("noop3", lambda text: Inspection())


def noop4() -> Scripted:
    return Scripted("noop4", lambda text: Inspection())


def noop5() -> Scripted:
    return Scripted("noop5", lambda text: Inspection())


def noop6() -> Scripted:
    return Scripted("noop6", lambda text: Inspection())


def noop7() -> Scripted:
    return Scripted("noop7", lambda text: Inspection())


def noop8() -> Scripted:
    return Scripted("noop8", lambda text: Inspection())


def spans() -> Scripted:
    return Scripted("spans", _spans)


def length() -> Scripted:
    return Scripted("length", lambda text: Inspection((RawFinding("LENGTH", 1.0, 0, len(text)),)))


def nap() -> Scripted:
    return Scripted("nap", _nap, cost=1000.0)


def nap2() -> Scripted:
    return Scripted("nap2", _nap, cost=1000.0)


def spin() -> Scripted:
    return Scripted("spin", _spin, cost=1000.0)


def hang() -> Scripted:
    return Scripted("hang", _hang)


def hold_lock() -> Scripted:
    return Scripted("hold_lock", _hold_lock)


def leak() -> Scripted:
    return Scripted("leak", _leak)


def exiting() -> Scripted:
    return Scripted("exiting", _exit)


def crash() -> Scripted:
    return Scripted("crash", _die)


def chatter() -> Scripted:
    return Scripted("chatter", _chatter)


def wrong() -> Scripted:
    return Scripted("wrong", _wrong)


def flood() -> Scripted:
    return Scripted("flood", _flood)


def environment() -> Scripted:
    return Scripted("environment", _environment)


def missing() -> Scripted:
    return Scripted("missing", _spans, _missing)


def broken() -> Scripted:
    return Scripted("broken", _spans, _broken)


def slow_to_load() -> Scripted:
    return Scripted("slow_to_load", _spans, _slowly)


def dies_loading() -> Scripted:
    return Scripted("dies_loading", _spans, _die_loading)
