"""`llama-mapper catalogue`: the shipped taxonomy, vocabularies and crosswalk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.printing import print_lines, print_table

app = typer.Typer(help="The taxonomy, the vendors' vocabularies and the crosswalk to framework controls.")


@app.callback()
def _group() -> None:
    """The catalogue's commands."""


@app.command()
def validate() -> None:
    """Check that the catalogue does not contradict itself; exit status 1 if it does."""
    from llama_mapper.entrypoints.containers.commands import catalogue_findings

    problems, counts = catalogue_findings()
    for problem in problems:
        typer.echo(problem, err=True)
    typer.echo(", ".join(f"{count} {what}" for what, count in counts.items()))
    typer.echo("the catalogue is consistent" if not problems else f"{len(problems)} problems")
    raise typer.Exit(1 if problems else 0)


Old = Annotated[Path, typer.Argument(help="The earlier taxonomy document.")]
New = Annotated[Path, typer.Argument(help="The later one.")]
MigrationFile = Annotated[Path | None, typer.Option("--migration", help="What a person says became of the ids.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def diff(old: Old, new: New, migration: MigrationFile = None, as_json: Json = False) -> None:
    """Print how two taxonomy documents differ, and which new ids may be old ones by another name."""
    from llama_mapper.entrypoints.containers.curation import compare_taxonomies

    found, _ = compare_taxonomies(old, new, migration)
    if as_json:
        typer.echo(found.model_dump_json())
        return
    for sign, ids in (("+", found.added), ("-", found.removed), ("~", found.reworded)):
        for name in ids:
            print_lines(f"{sign} {name}")
    for what, pairs in (("renamed", found.renamed), ("moved", found.moved), ("merged", found.merged)):
        for before, after in pairs.items():
            print_lines(f"{what} {before} -> {after}")
    for before, parts in found.split.items():
        print_lines(f"split {before} -> {', '.join(parts)}")
    for each in found.proposals:
        print_lines(f"? {each.id} may be {each.candidate} now (likeness {each.likeness:.2f})")


@app.command()
def plan(old: Old, new: New, migration: MigrationFile = None, as_json: Json = False) -> None:
    """Print what becomes of each id of OLD in NEW; exit status 1 if any of them needs a person."""
    from llama_mapper.entrypoints.containers.curation import compare_taxonomies

    _, found = compare_taxonomies(old, new, migration)
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        rows = ((each.id, each.kind, each.target or "", each.rule) for each in found.changed)
        print_table(("id", "what", "becomes", "by"), rows)
        for proposal in found.proposals:
            print_lines(f"? {proposal.id} may be {proposal.candidate} now (likeness {proposal.likeness:.2f})")
        typer.echo(f"{found.kept} kept, {len(found.changed)} changed, {len(found.needs_a_person)} need a person")
    raise typer.Exit(1 if found.needs_a_person else 0)


@app.command()
def calibrate(
    output: Annotated[Path, typer.Option(help="File to write; an installation uses it by mapping_calibration.")],
    seed: Annotated[int, typer.Option(help="Of the drawn labels and the folds; the same gives the same file.")] = 0,
    with_models: Annotated[
        bool, typer.Option("--with-models", help="Measure each model of the setting generation as well.")
    ] = False,
    model: Annotated[str | None, typer.Option(help="Measure this model alone, as provenance names it.")] = None,
    limit_labels: Annotated[
        int | None, typer.Option(min=20, help="Ask models about so many drawn labels. Default: all that are drawn.")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Keeps models' answers, to go on after a kill. Default: OUTPUT with .answers.jsonl."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Learn anew how far to trust the stages after the catalogue, from families of vendors held out in turn.

    Takes the stages that can run here: `lexical`, and `embedding` where the weights of its model are. With models it
    takes the stages of the setting mapping_stages, since a model chooses among what they rank.
    """
    import asyncio

    from llama_mapper.domain.kernel.errors import ConfigurationError
    from llama_mapper.entrypoints.cli.progress import item_progress
    from llama_mapper.entrypoints.containers.calibration import ModelsToCalibrate, calibrate_stages
    from llama_mapper.entrypoints.settings import Settings

    asks_models = with_models or model is not None
    if not asks_models and (limit_labels is not None or state is not None):
        raise ConfigurationError("--limit-labels and --state are about models: add --with-models")
    answers = state or output.with_name(f"{output.name}.answers.jsonl")
    models = ModelsToCalibrate(labels=limit_labels, state=answers, name=model) if asks_models else None
    settings = Settings.load(data_dir=data_dir)
    with item_progress() as advance:
        calibration = asyncio.run(calibrate_stages(settings, output, seed, models, advance))
    for combination in calibration.combinations:
        identity = "".join(f": {name}" for name in combination.identities.values())
        print_lines(f"{' + '.join(combination.stages)}{identity}")
    typer.echo(f"wrote {output}, version {calibration.version}")
