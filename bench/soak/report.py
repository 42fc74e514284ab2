"""A soak's figures for people, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from bench.soak.cast import CAST
from bench.soak.figures import Figures, Promise, latency_ms

_ROWS = 12


def print_report(figures: Figures, judged: Sequence[Promise], console: Console) -> None:
    """What became of the detectors, the server over time, and the promises."""
    outcomes = Table("detector", "fault", "weight", "answers by status", title="Detectors")
    for part in CAST:
        counts = figures.answers.outcomes[part.name]
        told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        outcomes.add_row(part.name, part.fault or "none", f"{part.weight:g}", told)
    console.print(outcomes)
    server = Table("time", "progress", "answers", "memory, MB", "files", "of these sockets", title="Server")
    samples = figures.samples
    for each in samples[:: max(1, -(-len(samples) // _ROWS))]:
        server.add_row(
            f"{each.at_s:.0f} s",
            f"{each.progress:.0%}",
            str(each.answered),
            f"{each.memory_mb:.1f}",
            str(each.files),
            str(each.sockets),
        )
    console.print(server)
    console.print(
        f"{figures.under_fire} answers under fire in {figures.fire_s:.0f} s: {figures.rate:.0f}/s, "
        f"p50 {latency_ms(figures, 0.5):.0f} ms, p99 {latency_ms(figures, 0.99):.0f} ms"
    )
    table = Table("promise", "", "seen", title="Promises")
    for promise in judged:
        table.add_row(promise.name, "kept" if promise.kept else "[bold red]BROKEN[/]", promise.seen)
    console.print(table)
    for fault in (*figures.answers.lost, *figures.answers.refused, *figures.answers.broken, *figures.unready):
        console.print(fault, markup=False)


def as_json(figures: Figures, judged: Sequence[Promise]) -> str:
    """All of it, for programs."""
    document = {
        "kept": all(promise.kept for promise in judged),
        "promises": [asdict(promise) for promise in judged],
        "answers": asdict(figures.answers),
        "under_fire": figures.under_fire,
        "fire_s": figures.fire_s,
        "latency_ms": {f"p{share * 100:g}": latency_ms(figures, share) for share in (0.5, 0.9, 0.99)},
        "rate": figures.rate,
        "recovery_s": figures.recovery_s,
        "outage": asdict(figures.outage),
        "breakers": {
            part.name: {
                state: figures.breakers_after.transitions.get((part.name, state), 0.0)
                for state in ("open", "half_open", "closed")
            }
            for part in CAST
        },
        "samples": [asdict(sample) for sample in figures.samples],
    }
    return json.dumps(document, indent=1)
