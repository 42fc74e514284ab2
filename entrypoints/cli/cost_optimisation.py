"""`llama-mapper costs optimise` and `recommendations`: what other ways of mapping would have cost and lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.printing import print_lines, print_table

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.cost_optimisation import CostOptimisation, Forecast, StoredRecommendation
    from llama_mapper.domain.mapping.costs.optimising import CostOptimiser

Result = TypeVar("Result")
Tenant = Annotated[str, typer.Option(help="Whose use.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_BAR = 20


def optimise(
    days: Annotated[int, typer.Option(min=1, max=400, help="How many days, up to today (UTC).")] = 30,
    max_loss: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of labels that may be lost; default: the tenant's.")
    ] = None,
    announce: Annotated[
        bool,
        typer.Option(
            "--run", help="Keep and announce the recommendation, and apply it if the tenant's settings say so."
        ),
    ] = False,
    tenant: Tenant = "local",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Tell what other strategies would have cost and lost over what was really mapped, and which is recommended."""
    if announce:
        told = _with(data_dir, lambda optimiser: optimiser.run(tenant))
        if as_json:
            typer.echo(told.model_dump_json())
        else:
            print_table(_COLUMNS, [_row(told)])
        return
    until = datetime.now(UTC).date()
    since = until - timedelta(days=days - 1)
    found = _with(data_dir, lambda optimiser: optimiser.optimisation(tenant, since, until, max_loss=max_loss))
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        _print(found)


def recommendations(tenant: Tenant = "local", as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List what the optimiser recommended, newest first."""
    found = _with(data_dir, lambda optimiser: optimiser.recommendations(tenant))
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        print_table(_COLUMNS, [_row(told) for told in found.items])


_COLUMNS = ("at", "recommended", "saves USD", "loses", "settings version", "reason")


def _row(told: StoredRecommendation) -> tuple[str, ...]:
    advised = told.recommendation
    applied = "" if told.applied_version is None else str(told.applied_version)
    loss = f"{max(0.0, advised.loss):.2%}"
    return (f"{told.at:%Y-%m-%d %H:%M}", advised.forecast, f"{advised.saving:.6f}", loss, applied, advised.reason)


def _print(found: CostOptimisation) -> None:
    typer.echo(
        f"{found.labels:,} labels from {found.since} to {found.until}, {found.unknown_labels:,} of them unknown to the "
        f"catalogue; {found.cost:.6f} USD for models"
    )
    columns = ("way", "basis", "right █ wrong ▒ none ·", "right", "wrong", "loses", "asks model", "USD", "saves USD")
    print_table(columns, [_cells(one, found.labels) for one in found.forecasts])
    print_lines(f"recommended: {found.recommendation.forecast}: {found.recommendation.reason}")
    for text in found.estimates:
        print_lines(f"- {text}")


def _cells(one: Forecast, labels: int) -> tuple[str, ...]:
    return (
        one.name,
        one.basis.value,
        "" if one.right is None or one.wrong is None or not labels else _bar(one.right, one.wrong),
        *("?" if share is None else f"{share:.1%}" for share in (one.right, one.wrong, one.loss)),
        f"{one.model_asked:,}",
        *("?" if dollars is None else f"{dollars:.6f}" for dollars in (one.cost, one.saving)),
    )


def _bar(right: float, wrong: float) -> str:
    full, both = round(right * _BAR), round((right + wrong) * _BAR)
    return "█" * full + "▒" * (both - full) + "·" * (_BAR - both)


def _with(data_dir: object, ask: Callable[[CostOptimiser], Awaitable[Result]]) -> Result:
    from llama_mapper.entrypoints.containers.commands import start_logging
    from llama_mapper.entrypoints.containers.mapping import running_mapping
    from llama_mapper.entrypoints.containers.platform import PlatformContainer
    from llama_mapper.entrypoints.settings import Settings

    async def run() -> Result:
        settings = Settings.load(data_dir=data_dir)
        start_logging(settings)
        async with running_mapping(PlatformContainer(settings=settings)) as container:
            return await ask(container.optimiser())

    return asyncio.run(run())
