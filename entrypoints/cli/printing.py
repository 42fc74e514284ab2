"""Printing what others wrote: as text, never as markup or as commands to the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import typer


def plain(text: str, *, keep: str = "") -> str:
    """The text without what would command a terminal, but for the characters in `keep`."""
    if text.isprintable():
        return text
    return "".join([each if each.isprintable() or each in keep else "\N{REPLACEMENT CHARACTER}" for each in text])


def print_lines(text: str) -> None:
    """Print a text of several lines."""
    typer.echo(plain(text, keep="\n\t"))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table for people; in a pipe one line a row, separated by tabs."""
    if not sys.stdout.isatty():
        for row in rows:
            typer.echo("\t".join(plain(" ".join(cell.split())) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns)
    for row in rows:
        table.add_row(*(Text(plain(cell, keep="\n")) for cell in row))
    Console().print(table)
