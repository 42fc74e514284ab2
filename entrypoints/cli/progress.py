"""A progress bar on standard error, for people: silent where standard error is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.training import TrainingProgress


@contextmanager
def progress_bar(total_bytes: int | None) -> Iterator[Callable[[int, str], None]]:
    """Gives a function to tell how many bytes are done and what is going on; None for `total_bytes` means unknown."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    with Progress(
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %" if total_bytes else ""),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=total_bytes)

        def advance(bytes_done: int, doing: str) -> None:
            progress.update(task, completed=bytes_done, description=doing)

        yield advance


@contextmanager
def item_progress() -> Iterator[Callable[[int, int, str], None]]:
    """Gives a function to tell how many items of how many are done, and what state that is."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)

        def advance(done: int, total: int, doing: str) -> None:
            progress.update(task, completed=done, total=total, description=doing)

        yield advance


@contextmanager
def training_progress() -> Iterator[Callable[[TrainingProgress], None]]:
    """Gives a function to tell how far training is; where standard error is no terminal, a line for every tenth."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.fields[stage]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    said: set[tuple[str, int]] = set()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, stage="preparing")

        def tell(progress: TrainingProgress) -> None:
            evaluating = progress.stage == "evaluating"
            done = progress.evaluated if evaluating else progress.step
            total = progress.to_evaluate if evaluating else progress.steps
            figures = "" if progress.loss is None else f"loss {progress.loss:.4f}"
            if progress.validation_loss is not None:
                figures += f", validation {progress.validation_loss:.4f}"
            bar.update(task, completed=done, total=total, description=figures, stage=progress.stage)
            mark = (progress.stage, 10 * done // max(1, total))
            if not console.is_terminal and mark not in said:
                said.add(mark)
                sys.stderr.write(f"{progress.stage} {done}/{total} {figures}".rstrip() + "\n")

        yield tell
