"""An evaluation as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from llama_mapper.domain.contracts.evaluation import MappingEvaluation
from llama_mapper.entrypoints.report.evaluation_tables import TableView, sections

ERRORS = 25
_SPECIAL = re.compile(r"([\\`*{}\[\]<>|#!&~]|(?<![^\W_])_|_(?![^\W_]))")  # an underscore within a word is none


def evaluation_markdown(report: MappingEvaluation) -> str:
    """The report in GitHub's Markdown. Labels are the vendors' own words: they are escaped and become no markup."""
    parts = [f"# {_text(report.title)}", f"Made {report.made_at:%Y-%m-%d} by `llama-mapper evaluate mapping`."]
    for section in sections(report, ERRORS):
        if not section.tables:
            continue  # a drawing alone
        parts.append(f"## {section.heading}")
        parts += section.paragraphs
        for table in section.tables:
            parts.append(f"**{_text(table.caption)}**")
            parts.append(_table(table))
    return "\n\n".join(parts) + "\n"


def _table(table: TableView) -> str:
    lines = [_row(table.columns), _row(["---"] * len(table.columns))]
    lines += [_row([_text(cell) for cell in row]) for row in table.rows]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
