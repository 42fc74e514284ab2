"""The report as one HTML page: no script, nothing fetched, readable on screen and on paper."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from llama_mapper.entrypoints.report.charts import stacked_bars
from llama_mapper.entrypoints.report.data import RISK_BANDS, ControlRow, FrameworkRow, ReportData
from llama_mapper.entrypoints.report.summary import ACTIONS, SEVERITIES, RunSummary

if TYPE_CHECKING:
    from jinja2 import Template

CATEGORIES_IN_CHART = 20
_KINDS = {"control": "controls", "risk": "risks", "technique": "techniques"}


def render_report(data: ReportData, title: str, generated_at: datetime) -> str:
    """The page for `data`. `generated_at` needs a time zone; all moments are shown in UTC, ISO 8601.

    Every text in `data` and `title` is escaped: labels are the vendors' own words.
    """
    summary = data.summary
    frameworks = sorted(data.frameworks.values(), key=lambda row: (list(_KINDS).index(row.kind), row.ref))
    touched = [framework for framework in frameworks if framework.controls]
    return page_template("report.html.j2").render(
        title=title,
        generated_at=generated_at,
        data=data,
        summary=summary,
        rows=data.rows,
        actions=ACTIONS,
        severities=SEVERITIES,
        bands=RISK_BANDS,
        kinds=_KINDS,
        frameworks=frameworks,
        touched=touched,
        controls_touched=sum(len(framework.controls) for framework in touched),
        categories=_by_total(summary.by_category),
        charts={
            "verdicts": _verdicts(summary),
            "categories": _categories(summary),
            "risk": _risk(data),
            "controls": _controls(touched),
        },
    )


def page_template(name: str) -> Template:
    """The template `name` of this folder; every text that it is given is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"moment": moment, "count": count, "percent": percent, "by_id": by_id}
    return environment.get_template(name)


def moment(at: datetime | None) -> str:
    """ISO 8601 in UTC to the second; a dash for none."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else "-"


def count(number: int) -> str:
    """A whole number with thin gaps between thousands that never break."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def percent(share: float) -> str:
    """A share between 0 and 1 with one decimal; 100 and 0 only where it is all or none."""
    shown = f"{share * 100:.1f} %"
    if share < 1.0 and shown == "100.0 %":
        return "> 99.9 %"
    return "< 0.1 %" if share > 0.0 and shown == "0.0 %" else shown


def by_id(controls: Iterable[ControlRow]) -> list[ControlRow]:
    """Controls in the order of their ids, numbers within an id by size: `Article.5` before `Article.32`."""
    return sorted(
        controls, key=lambda row: [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in _parts(row)]
    )


def _parts(row: ControlRow) -> list[str]:
    return [part for part in re.split(r"([0-9]+)", row.id) if part]


def _verdicts(summary: RunSummary) -> Markup:
    return stacked_bars(
        "verdicts",
        "Assessments by verdict",
        "One bar divided into the four verdicts, strictest first; the table below has the numbers.",
        ["Assessments"],
        {action: [summary.verdicts[action]] for action in ACTIONS},
        "verdict",
    )


def _categories(summary: RunSummary) -> Markup:
    ranked = _by_total(summary.by_category)
    rows = ranked[:CATEGORIES_IN_CHART]
    if rest := [severities for _, severities in ranked[CATEGORIES_IN_CHART:]]:
        rows.append((f"{len(rest)} other categories", sum(rest, Counter[str]())))
    return stacked_bars(
        "categories",
        "Findings by risk category and severity",
        "One bar a category, most findings first, divided by severity; the table below has the numbers.",
        [name for name, _ in rows],
        {severity: [severities[severity] for _, severities in rows] for severity in SEVERITIES},
        "severity",
    )


def _risk(data: ReportData) -> Markup:
    return stacked_bars(
        "risk",
        "Assessments by risk score in each dimension",
        "One bar a dimension, divided into bands of the risk score, highest first; the table below has the numbers.",
        list(data.dimensions),
        {band: [row.bands[band] for row in data.dimensions.values()] for band in reversed(RISK_BANDS)},
        "band",
    )


def _controls(frameworks: Iterable[FrameworkRow]) -> Markup:
    rows = [(framework.ref, framework.by_worst()) for framework in frameworks]
    return stacked_bars(
        "controls",
        "Controls touched in each framework",
        "One bar a framework edition, divided by the severity of the worst finding relevant to each control.",
        [ref for ref, _ in rows],
        {severity: [worst[severity] for _, worst in rows] for severity in SEVERITIES},
        "severity",
    )


def _by_total(counts: Mapping[str, Counter[str]]) -> list[tuple[str, Counter[str]]]:
    """Largest total first, then by name."""
    return sorted(counts.items(), key=lambda entry: (-entry[1].total(), entry[0]))
