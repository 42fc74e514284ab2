"""What the commands about policies share: their options, the open store, and how versions are told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from llama_mapper.entrypoints.cli.persons import user
from llama_mapper.entrypoints.cli.printing import print_lines, print_table

if TYPE_CHECKING:
    from pydantic import BaseModel

    from llama_mapper.domain.contracts.policies import PolicyActivationList, PolicyScope, PolicyVersionInfo
    from llama_mapper.entrypoints.containers.policies import Policies

Result = TypeVar("Result")
Model = TypeVar("Model", bound="BaseModel")

Folder = Annotated[Path, typer.Argument(help="Folder with bundle.json, *.rego and data.json.")]
Bundle = Annotated[str, typer.Argument(help="The bundle's name.")]
Version = Annotated[str, typer.Argument(help="The version.")]
Tenant = Annotated[str, typer.Option(help="Whose bundles.")]
Everyone = Annotated[
    bool, typer.Option("--global", help="The bundles that hold for all tenants, instead of a tenant's.")
]
Person = Annotated[str | None, typer.Option("--as", help="Who does this; default: this machine's user.")]
NoteText = Annotated[str, typer.Option("--note", help="Why, for the record.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Key = Annotated[str | None, typer.Option(help="Only for the API key of this name.")]
Kind = Annotated[str | None, typer.Option("--content-type", help="Only for content of this type.")]
Monitor = Annotated[bool, typer.Option("--monitor", help="Beside what decides, to be reported and never enforced.")]


def run(use: Callable[[Policies], Awaitable[Result]], person: str | None, data_dir: Path | None) -> Result:
    """What `use` gives, with the installation's policies open."""
    from llama_mapper.entrypoints.containers.policies import open_policies
    from llama_mapper.entrypoints.settings import Settings

    async def running() -> Result:
        async with open_policies(Settings.load(data_dir=data_dir), person or user()) as policies:
            return await use(policies)

    return asyncio.run(running())


def scope_of(key: str | None, kind: str | None, monitor: bool) -> PolicyScope:
    """The scope that the options name."""
    from llama_mapper.domain.contracts.policies import PolicyScope

    return given(PolicyScope, key=key, content_type=kind, enforcement="monitor" if monitor else "enforce")


def given(model: type[Model], **fields: object) -> Model:
    """What was given as options, with contract errors in the kernel's words."""
    from pydantic import ValidationError as PydanticError

    from llama_mapper.domain.contracts.refusals import refusal_of

    try:
        return model.model_validate(fields, strict=False)
    except PydanticError as error:
        raise refusal_of(error)[0] from None


def tell_version(version: PolicyVersionInfo, as_json: bool) -> None:
    """A version in a line."""
    if as_json:
        typer.echo(version.model_dump_json())
    else:
        print_lines(f"{version.bundle}@{version.version} {version.digest} {version.state}")


def tell_activations(bundle: str, activations: PolicyActivationList, as_json: bool) -> None:
    """What is in force of a bundle."""
    if as_json:
        typer.echo(activations.model_dump_json())
        return
    rows = (
        (
            bundle,
            one.version or "(out of force)",
            one.level,
            where(one.scope),
            f"{one.percent} %",
            one.since.isoformat(timespec="seconds"),
        )
        for one in activations.items
    )
    print_table(("bundle", "version", "level", "scope", "share", "since"), rows)


def where(scope: PolicyScope) -> str:
    """A scope in words."""
    parts = [f"key {scope.key}" if scope.key else "all keys", scope.content_type or "all content", scope.enforcement]
    return ", ".join(parts)
