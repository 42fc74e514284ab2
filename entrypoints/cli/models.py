"""`llama-mapper models`: the registry of models."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.persons import owner
from llama_mapper.entrypoints.cli.printing import plain, print_lines, print_table

if TYPE_CHECKING:
    from pydantic import BaseModel

    from llama_mapper.domain.contracts.models import ModelActor, ModelVersionInfo
    from llama_mapper.entrypoints.containers.models import OpenModels

app = typer.Typer(help="Models: registered, examined, signed, promoted; of this installation, or of one tenant.")

Name = Annotated[str, typer.Argument(help="The model's name.")]
Version = Annotated[str, typer.Argument(help="A version of it, such as 1.2.0.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Tenant = Annotated[str | None, typer.Option(help="The tenant whose models to use. Default: the installation's.")]
Note = Annotated[str, typer.Option(help="Why; it is kept in the history.")]
Result = TypeVar("Result")


@app.callback()
def _group() -> None:
    """The commands about models."""


@app.command()
def register(
    folder: Annotated[Path, typer.Argument(help="A folder with the model's files.")],
    name: Annotated[str | None, typer.Option(help="The model's name; otherwise model.json says it.")] = None,
    version: Annotated[str | None, typer.Option(help="Default: the next minor version.")] = None,
    kind: Annotated[str | None, typer.Option(help="mapper, analyst or embeddings.")] = None,
    base_model: Annotated[str | None, typer.Option(help="What it was made of.")] = None,
    taxonomy: Annotated[str | None, typer.Option(help="Versions that it fits, such as '>=1.1.0,<2.0.0'.")] = None,
    vocabulary: Annotated[str | None, typer.Option(help="The same of the vocabularies.")] = None,
    crosswalk: Annotated[str | None, typer.Option(help="The same of the crosswalk.")] = None,
    metrics: Annotated[
        Path | None, typer.Option(help="JSON file of figures; default: metrics.json in the folder.")
    ] = None,
    tenant: Tenant = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Upload the files of FOLDER and register them as a version; after an interruption, run it again.

    What no option says is taken from model.json, card.json and adapter_config.json in the folder, figures from
    metrics.json.
    """
    from llama_mapper.domain.contracts.models import ModelDescription, ModelVersion
    from llama_mapper.domain.kernel.errors import ErrorCode, ValidationError
    from llama_mapper.entrypoints.cli.model_folder import described
    from llama_mapper.entrypoints.cli.progress import progress_bar

    given = {"name": name, "version": version, "kind": kind, "base_model": base_model}
    ranges = {"taxonomy": taxonomy, "vocabulary": vocabulary, "crosswalk": crosswalk}
    told = described(folder, given, ranges, metrics)
    try:
        description = ModelDescription.model_validate_json(json.dumps(told))
    except ValueError as error:
        raise ValidationError(f"the model is not described: {_problems(error)}", ErrorCode.MODEL_INVALID) from None

    async def publish(models: OpenModels) -> ModelVersion:
        files = await models.files(folder)
        total = sum(file.artifact.size for file in files)
        with progress_bar(total or None) as advance:
            return await models.publisher.publish(_owner(tenant), description, files, person(), advance)

    made = _run(data_dir, publish)
    typer.echo(made.model_dump_json() if as_json else _line(made))


@app.command("list")
def list_models(
    name: Annotated[str | None, typer.Argument(help="Only the versions of this model.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only mapper, analyst or embeddings.")] = None,
    tenant: Tenant = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List models, or the versions of one; in a pipe one a line, separated by tabs."""
    if name is not None:
        found = _run(data_dir, lambda models: models.registry.versions(_owner(tenant), name))
        if as_json:
            typer.echo(found.model_dump_json())
            return
        columns = ("model", "version", "stage", "owner", "bytes", "by", "at", "deprecated on")
        print_table(columns, [_cells(each) for each in found.items])
        return
    from llama_mapper.domain.contracts.models import ModelKind

    wanted = None if kind is None else _one_of(ModelKind, kind, "--kind")
    listed = _run(data_dir, lambda models: models.registry.list(_owner(tenant), kind=wanted))
    if as_json:
        typer.echo(listed.model_dump_json())
        return
    rows = [
        (each.name, each.kind.value, each.owner.value, str(each.versions), each.newest, ", ".join(each.in_production))
        for each in listed.items
    ]
    print_table(("model", "kind", "owner", "versions", "newest", "in production"), rows)


@app.command()
def show(name: Name, version: Version, tenant: Tenant = None, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Show a version with its manifest and its signature."""
    _print(_run(data_dir, lambda models: models.registry.show(_owner(tenant), name, version)), as_json)


@app.command()
def history(name: Name, tenant: Tenant = None, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Show what happened to a model, newest first."""
    found = _run(data_dir, lambda models: models.registry.history(_owner(tenant), name, limit=1000))
    if as_json:
        typer.echo(found.model_dump_json())
        return
    rows = [
        (
            str(each.number),
            each.step.value,
            each.version,
            each.stage.value if each.stage else "",
            each.at.isoformat(timespec="seconds"),
            each.who,
            each.note,
        )
        for each in found.items
    ]
    print_table(("number", "step", "version", "stage", "at", "by", "note"), rows)


@app.command()
def promote(
    name: Name,
    version: Version,
    stage: Annotated[str, typer.Option(help="staging or production.")] = "production",
    note: Note = "",
    tenant: Tenant = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Move a version to staging, or to production if its figures pass the gate."""
    from llama_mapper.domain.contracts.models import ModelPromotion, ModelStage

    asked = ModelPromotion(stage=_one_of(ModelStage, stage, "--stage"), note=note)
    _told(_run(data_dir, lambda m: m.registry.promote(_owner(tenant), name, version, asked, person())), as_json)


@app.command()
def deprecate(
    name: Name,
    version: Version,
    on: Annotated[datetime | None, typer.Option(help="From when on answers carry a warning. Default: now.")] = None,
    note: Note = "",
    tenant: Tenant = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Say that a version is to go; times without a zone are in UTC."""
    from llama_mapper.domain.contracts.models import ModelDeprecation

    when = on.replace(tzinfo=UTC) if on is not None and on.tzinfo is None else on
    asked = ModelDeprecation(on=when, note=note)
    _told(_run(data_dir, lambda m: m.registry.deprecate(_owner(tenant), name, version, asked, person())), as_json)


@app.command()
def archive(
    name: Name,
    version: Version,
    note: Note = "",
    tenant: Tenant = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Take a version out of use for good."""
    from llama_mapper.domain.contracts.models import ModelRemark

    asked = ModelRemark(note=note)
    _told(_run(data_dir, lambda m: m.registry.archive(_owner(tenant), name, version, asked, person())), as_json)


@app.command()
def verify(
    name: Name, version: Version, tenant: Tenant = None, as_json: Json = False, data_dir: DataDir = None
) -> None:
    """Read a version back and examine it: signature, files, digests, loading; exit status 1 if anything is wrong."""
    check = _run(data_dir, lambda models: models.registry.verify(_owner(tenant), name, version))
    if as_json:
        typer.echo(check.model_dump_json())
    else:
        lines = "\n".join(check.problems)
        print_lines(f"{name} {version} is sound" if check.sound else f"NOT SOUND: {name} {version}\n{lines}")
    raise typer.Exit(0 if check.sound else 1)


@app.command()
def pull(
    name: Name,
    version: Version,
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    any_catalogue: Annotated[
        bool, typer.Option("--any-catalogue", help="Also if the model does not fit this installation's catalogue.")
    ] = False,
    tenant: Tenant = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Put a version's files into FOLDER, which is there whole and verified or not at all."""
    from llama_mapper.domain.contracts.models import ModelVersion
    from llama_mapper.entrypoints.cli.progress import progress_bar

    async def materialise(models: OpenModels) -> ModelVersion:
        info = await models.registry.show(_owner(tenant), name, version)
        with progress_bar(info.size or None) as advance:
            return await models.registry.materialise(
                _owner(tenant),
                name,
                version,
                folder,
                tell=lambda done: advance(done, "fetching"),
                whatever_fits=any_catalogue,
            )

    made = _run(data_dir, materialise)
    typer.echo(made.model_dump_json() if as_json else f"{_line(made)} in {plain(str(folder))}")


@app.command()
def matrix(
    taxonomy: Annotated[list[str] | None, typer.Option(help="A version; may be repeated. Default: in service.")] = None,
    vocabulary: Annotated[list[str] | None, typer.Option(help="The same of the vocabularies.")] = None,
    crosswalk: Annotated[list[str] | None, typer.Option(help="The same of the crosswalk.")] = None,
    tenant: Tenant = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Show which versions fit which versions of the catalogue."""
    found = _run(
        data_dir,
        lambda models: models.registry.matrix(
            _owner(tenant),
            taxonomy=tuple(taxonomy or ()),
            vocabulary=tuple(vocabulary or ()),
            crosswalk=tuple(crosswalk or ()),
        ),
    )
    if as_json:
        typer.echo(found.model_dump_json())
        return
    rows = [
        (
            each.name,
            each.version,
            each.stage.value,
            each.taxonomy,
            each.vocabulary,
            each.crosswalk,
            "fits" if each.fits else "; ".join(each.differences),
        )
        for each in found.items
    ]
    print_table(("model", "version", "stage", "taxonomy", "vocabulary", "crosswalk", ""), rows)


@app.command()
def prune(
    keep: Annotated[
        list[str] | None, typer.Option(help="How many to keep in a stage, as STAGE=N; may be repeated.")
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="Remove them; without it they are only listed.")] = False,
    tenant: Tenant = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List, or remove, the files of versions that the retention rules do not keep."""
    from llama_mapper.domain.contracts.models import ModelStage, RetentionRequest

    kept: dict[ModelStage, int] = {}
    for each in keep or ():
        stage, _, number = each.partition("=")
        if not number.isascii() or not number.isdigit() or int(number[:5]) > 1000:
            raise typer.BadParameter("give STAGE=N, with N from 0 to 1000", param_hint="--keep")
        kept[_one_of(ModelStage, stage, "--keep")] = int(number)
    asked = RetentionRequest(keep=kept, dry_run=not run)
    report = _run(data_dir, lambda models: models.registry.retain(_owner(tenant), asked, person()))
    if as_json:
        typer.echo(report.model_dump_json())
        return
    rows = [(each.name, each.version, each.stage or "", str(each.size), each.reason) for each in report.removed]
    print_table(("model", "version", "stage", "bytes", "why"), rows)
    done = "would go" if report.dry_run else "are gone"
    typer.echo(f"{len(report.removed)} {done}, {report.freed} bytes; {report.kept} versions stay", err=True)


def _run(data_dir: Path | None, use: Callable[[OpenModels], Awaitable[Result]]) -> Result:
    from llama_mapper.entrypoints.containers.models import open_models
    from llama_mapper.entrypoints.settings import Settings

    async def run() -> Result:
        async with open_models(Settings.load(data_dir=data_dir)) as models:
            return await use(models)

    return asyncio.run(run())


def _owner(tenant: str | None) -> str:
    return owner(tenant or "", everyone=tenant is None)


def person() -> ModelActor:
    """Who runs the command."""
    from llama_mapper.domain.contracts.models import ModelActor, ModelDoor

    try:
        return ModelActor(name=getpass.getuser(), door=ModelDoor.COMMAND, keyless=True)
    except (KeyError, OSError, ValueError):  # a user without a name
        return ModelActor(name="command line", door=ModelDoor.COMMAND, keyless=True)


def _one_of(kind: Any, text: str, option: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise typer.BadParameter(f"it is one of {', '.join(kind)}", param_hint=option) from None


def _problems(error: ValueError) -> str:
    errors = getattr(error, "errors", None)
    if errors is None:
        return "it is not valid"
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in errors(include_input=False))


def _cells(info: ModelVersionInfo) -> tuple[str, ...]:
    return (
        info.name,
        info.version,
        f"{info.stage.value}{' (files removed)' if info.pruned else ''}",
        info.owner.value,
        str(info.size),
        info.created_by,
        info.created_at.isoformat(timespec="seconds"),
        info.deprecated_on.isoformat(timespec="seconds") if info.deprecated_on else "",
    )


def _line(info: ModelVersionInfo) -> str:
    return f"{info.name} {info.version} {info.stage.value} {info.digest}"


def _told(info: ModelVersionInfo, as_json: bool) -> None:
    typer.echo(info.model_dump_json() if as_json else _line(info))


def _print(model: BaseModel, as_json: bool) -> None:
    typer.echo(model.model_dump_json() if as_json else model.model_dump_json(indent=2, exclude_none=True))
