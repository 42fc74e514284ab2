"""`llama-mapper costs`: what mapping cost, and budgets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.printing import print_table

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.costs import BudgetAnswer, CostTotals
    from llama_mapper.domain.mapping.costs.service import CostService

app = typer.Typer(help="What mapping cost, by day and source; budgets and their alerts.")

Result = TypeVar("Result")
Tenant = Annotated[str, typer.Option(help="Whose costs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _group() -> None:
    """The commands about costs."""


@app.command()
def show(
    days: Annotated[int, typer.Option(min=1, max=400, help="How many days, up to today (UTC).")] = 30,
    tenant: Tenant = "local",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show what each source cost: calls, labels, tokens read and written, US dollars, milliseconds of our own."""
    today = datetime.now(UTC).date()
    report = _with(data_dir, lambda costs: costs.report(tenant, today - timedelta(days=days - 1), today))
    if as_json:
        typer.echo(report.model_dump_json())
        return
    rows = [(source, *_cells(totals)) for source, totals in report.by_source.items()]
    columns = ("source", "calls", "labels", "tokens in", "tokens out", "USD", "USD/1000 labels", "ms")
    print_table(columns, [*rows, ("total", *_cells(report.total))])


@app.command()
def alerts(tenant: Tenant = "local", as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the shares of budgets that were reached, newest first."""
    found = _with(data_dir, lambda costs: costs.alerts(tenant))
    if as_json:
        typer.echo(found.model_dump_json())
        return
    rows = [
        (f"{one.at:%Y-%m-%d %H:%M}", one.period, f"{one.share:.0%}", f"{one.spent:.4f}", f"{one.limit:.2f}")
        for one in found.items
    ]
    print_table(("at", "period", "share", "spent", "limit"), rows)


@app.command()
def budget(
    limit: Annotated[
        float | None, typer.Argument(min=0.000001, help="US dollars a period; shows it if absent.")
    ] = None,
    period: Annotated[str, typer.Option(help="day or month.")] = "month",
    warn_at: Annotated[list[float] | None, typer.Option(help="Share at which to warn; may be repeated.")] = None,
    stop_models: Annotated[bool, typer.Option(help="Ask no models that cost money once it is used up.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the budget away.")] = False,
    tenant: Tenant = "local",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show, set or remove the tenant's budget."""
    from llama_mapper.domain.contracts.costs import BudgetRequest
    from llama_mapper.domain.contracts.refusals import faults_of
    from llama_mapper.domain.kernel.errors import ValidationError

    async def change(costs: CostService) -> BudgetAnswer:
        if remove:
            return await costs.remove_budget(tenant)
        if limit is None:
            return await costs.budget(tenant)
        terms = {"limit": limit, "period": period, "when_used_up": "stop_models" if stop_models else "alert"}
        asked, faults = faults_of(BudgetRequest, {**terms, **({"warn_at": warn_at} if warn_at else {})})
        if asked is None:
            raise ValidationError(f"{faults[0].field}: {faults[0].message}")
        return await costs.set_budget(tenant, asked, "command line")

    answer = _with(data_dir, change)
    if as_json:
        typer.echo(answer.model_dump_json())
    elif answer.budget is None:
        typer.echo("no budget")
    else:
        found = answer.budget
        typer.echo(
            f"{found.spent:.4f} of {found.limit:.2f} USD in the {found.period.value} from {found.period_began}; "
            f"when it is used up: {found.when_used_up.value}"
        )


def _cells(totals: CostTotals) -> tuple[str, ...]:
    price = totals.cost_per_thousand_labels
    counts = (totals.calls, totals.labels, totals.prompt_tokens, totals.completion_tokens)
    return (
        *(f"{count:,}" for count in counts),
        f"{totals.cost:.6f}",
        "" if price is None else f"{price:.6f}",
        f"{totals.compute_time_ms:.1f}",
    )


def _with(data_dir: object, ask: Callable[[CostService], Awaitable[Result]]) -> Result:
    from llama_mapper.entrypoints.containers.mapping import running_mapping
    from llama_mapper.entrypoints.containers.platform import PlatformContainer
    from llama_mapper.entrypoints.settings import Settings

    async def run() -> Result:
        async with running_mapping(PlatformContainer(settings=Settings.load(data_dir=data_dir))) as container:
            return await ask(container.costs())

    return asyncio.run(run())
