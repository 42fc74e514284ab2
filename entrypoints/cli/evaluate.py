"""`llama-mapper evaluate`: how good the mapping is, whether that is good enough, and what else it could have been."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_mapper.entrypoints.cli.options import DataDir

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.evaluation import MappingEvaluation, TokenPrice
    from llama_mapper.domain.mapping.costs.what_if import StrategyOutcome

app = typer.Typer(help="Measure the mapping of labels: accuracy, coverage, calibration, latency and cost.")

Report = Annotated[Path, typer.Argument(help="JSON that `evaluate mapping --json` wrote.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_FAILED = 1


@app.callback()
def _group() -> None:
    """The evaluation's commands."""


@app.command()
def mapping(
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="Method to evaluate; may be repeated. Default: all but those that ask a model."),
    ] = None,
    hold_out: Annotated[
        list[str] | None, typer.Option(help="Ask about this vendor alone; may be repeated. Default: every vendor.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Leave several families out at once, in this many folds.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32, help="Of folds, methods and intervals.")] = 0,
    families: Annotated[
        Path | None, typer.Option(help="YAML or JSON of vendor: family, to leave out together. Default: by likeness.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Ask an own JSONL of {vendor, vendor_version?, label, canonical, also?}; nothing is left out."
        ),
    ] = None,
    precision: Annotated[float, typer.Option(min=0.01, max=1.0, help="At which to report coverage.")] = 0.95,
    resamples: Annotated[int, typer.Option(min=0, max=100_000, help="Bootstrap draws of families.")] = 1000,
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="Labels asked in one call.")] = 64,
    latency_samples: Annotated[
        int, typer.Option(min=0, max=10_000, help="Labels of each fold asked once more, alone, for their time.")
    ] = 8,
    price: Annotated[
        list[str] | None,
        typer.Option(help="STRATEGY=PROMPT,COMPLETION in US dollars a million tokens; may be repeated."),
    ] = None,
    limit_labels: Annotated[
        int | None,
        typer.Option(min=20, help="Ask so many drawn labels, and a model no more in each fold's fit. Default: all."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Model of the setting generation to ask, as provenance names it. Default: the first."),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="Keep finished folds in this file, and go on from it after a kill.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report as JSON; - for output.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report as one HTML page.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the report as Markdown.")] = None,
    title: Annotated[str, typer.Option(help="Title of the report.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Leave whole families of vendors out of everything that a method knows, ask it about them, and measure."""
    from llama_mapper.entrypoints.cli.progress import item_progress
    from llama_mapper.entrypoints.containers.evaluation import EvaluationRequest, evaluate_mapping
    from llama_mapper.entrypoints.settings import Settings

    request = EvaluationRequest(
        strategies=tuple(dict.fromkeys(strategy or ())),
        hold_out=tuple(dict.fromkeys(hold_out or ())),
        folds=folds,
        seed=seed,
        families=families,
        labels=labels,
        state=state,
        limit_labels=limit_labels,
        model=model,
        precision=precision,
        resamples=resamples,
        batch=batch,
        singles=latency_samples,
        prices=_prices(price or ()),
        title=title,
    )
    outputs = [path for path in (json_file, report, markdown) if path is not None and str(path) != "-"]
    _check_writable(outputs)
    with item_progress() as advance:
        made = asyncio.run(evaluate_mapping(request, Settings.load(data_dir=data_dir), advance))
    if json_file is not None:
        _write(json_file, made.model_dump_json() + "\n")
    if report is not None:
        from llama_mapper.entrypoints.report.evaluation_page import evaluation_page

        _write(report, evaluation_page(made))
    if markdown is not None:
        from llama_mapper.entrypoints.report.evaluation_markdown import evaluation_markdown

        _write(markdown, evaluation_markdown(made))
    if str(json_file) != "-":
        _print(made)


@app.command()
def gate(
    report: Annotated[Path, typer.Option(help="JSON that `evaluate mapping --json` wrote.")],
    minimum: Annotated[
        list[str] | None, typer.Option("--min", help="FIGURE=BOUND that must be reached; may be repeated.")
    ] = None,
    maximum: Annotated[
        list[str] | None, typer.Option("--max", help="FIGURE=BOUND that must not be passed; may be repeated.")
    ] = None,
    against: Annotated[Path | None, typer.Option(help="Report of what is released now.")] = None,
    max_drop: Annotated[
        list[str] | None, typer.Option(help="FIGURE=BOUND on how much worse than --against; may be repeated.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Method to judge, where the report has several.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge a report; exit status 1, with each bound that does not hold, if it is not good enough.

    Figures are named as in the report: level2_accuracy, coverage_at_95; hard.level2_accuracy for the hard labels;
    level2_accuracy.low for the lower bound of the interval.
    """
    from llama_mapper.domain.kernel.errors import ConfigurationError
    from llama_mapper.domain.mapping.evaluation.gate import EvaluationGate, figures_of, judge_evaluation
    from llama_mapper.entrypoints.containers.evaluation import read_report

    bounds = EvaluationGate(
        minimum=_bounds(minimum or ()), maximum=_bounds(maximum or ()), max_drop=_bounds(max_drop or ())
    )
    if not (bounds.minimum or bounds.maximum or bounds.max_drop):
        raise ConfigurationError("a gate needs at least one of --min, --max and --max-drop")
    if bool(bounds.max_drop) != (against is not None):
        raise ConfigurationError("--against and --max-drop need each other")
    made = read_report(report)
    base = read_report(against) if against else None
    if subject is None and len(made.subjects) > 1:
        names = ", ".join(one.name for one in made.subjects)
        raise ConfigurationError(f"name the method to judge with --subject: {names}")
    name = subject or made.subjects[0].name
    failures = judge_evaluation(figures_of(made, name), bounds, figures_of(base, name) if base else None)
    if base is not None and base.protocol.items_digest != made.protocol.items_digest:
        sys.stderr.write("the two reports asked different labels, or other answers count as right\n")
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "subject": name,
                    "passed": not failures,
                    "failures": [
                        {"figure": one.figure, "rule": one.rule, "bound": one.bound, "value": one.value}
                        for one in failures
                    ],
                }
            )
        )
    else:
        for one in failures:
            typer.echo(f"FAILED {one}")
        typer.echo(f"{name}: {'not good enough' if failures else 'passed'}")
    raise typer.Exit(_FAILED if failures else 0)


@app.command("what-if")
def what_if_command(
    report: Report,
    accuracy: Annotated[float, typer.Option(min=0.0, max=1.0, help="At least; of all labels.")] = 0.0,
    precision: Annotated[float, typer.Option(min=0.0, max=1.0, help="At least; of the labels answered.")] = 0.0,
    coverage: Annotated[float, typer.Option(min=0.0, max=1.0, help="At least; labels answered.")] = 0.0,
    price: Annotated[
        list[str] | None,
        typer.Option(help="STRATEGY=PROMPT,COMPLETION in US dollars a million tokens; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What every strategy and threshold would have cost and lost, from the answers in a report.

    Without bounds: those that no other beats. With bounds the cheapest strategy that keeps them; exit status 1 if none
    does.
    """
    from dataclasses import asdict

    from llama_mapper.domain.mapping.costs.what_if import cheapest, pareto_front, what_if
    from llama_mapper.domain.mapping.evaluation.records import answer_records
    from llama_mapper.entrypoints.cli.printing import print_table
    from llama_mapper.entrypoints.containers.evaluation import read_report
    from llama_mapper.entrypoints.report.evaluation_tables import front_rows

    outcomes = what_if(answer_records(read_report(report), _prices(price or ())))
    if accuracy or precision or coverage:
        best = cheapest(outcomes, accuracy=accuracy, precision=precision, coverage=coverage)
        shown: tuple[StrategyOutcome, ...] = (best,) if best else ()
    else:
        shown = pareto_front(outcomes)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in shown]))
    elif shown:
        table = front_rows(shown)
        print_table(table.columns, table.rows)
    else:
        typer.echo("no strategy keeps these bounds")
    raise typer.Exit(0 if shown else _FAILED)


def _bounds(given: Iterable[str]) -> dict[str, float]:
    from llama_mapper.domain.kernel.errors import ConfigurationError

    bounds = {}
    for one in given:
        figure, _, bound = one.partition("=")
        try:
            bounds[figure] = float(bound)
        except ValueError as error:
            raise ConfigurationError(f"'{one}' is not FIGURE=NUMBER") from error
    return bounds


def _prices(given: Iterable[str]) -> dict[str, TokenPrice]:
    from pydantic import ValidationError as PydanticError

    from llama_mapper.domain.contracts.evaluation import TokenPrice
    from llama_mapper.domain.kernel.errors import ConfigurationError

    prices = {}
    for one in given:
        name, _, price = one.partition("=")
        prompt, _, completion = price.partition(",")
        try:
            prices[name] = TokenPrice(prompt=float(prompt), completion=float(completion))
        except (ValueError, PydanticError) as error:
            raise ConfigurationError(f"'{one}' is not STRATEGY=PROMPT,COMPLETION") from error
    return prices


def _check_writable(outputs: Iterable[Path]) -> None:
    """Find out before the work, not after it."""
    from llama_mapper.domain.kernel.errors import ConfigurationError

    for path in outputs:
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise ConfigurationError(f"cannot write {path}: no such folder, or a folder itself")


def _write(path: Path, text: str) -> None:
    from llama_mapper.domain.kernel.errors import ConfigurationError

    if str(path) == "-":
        sys.stdout.write(text)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error


def _print(report: MappingEvaluation) -> None:
    from llama_mapper.entrypoints.cli.printing import plain, print_table
    from llama_mapper.entrypoints.report.evaluation_tables import headline_tables

    for table in headline_tables(report):
        typer.echo(f"{plain(table.caption)}; {', '.join(table.columns[1:-1])}")
        print_table(table.columns[:-1], [row[:-1] for row in table.rows])
