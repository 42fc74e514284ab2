"""`llama-mapper policies`: the life of policy bundles, from a draft to what requests get."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.persons import owner as owner_of
from llama_mapper.entrypoints.cli.persons import signed, user
from llama_mapper.entrypoints.cli.printing import print_lines, print_table

if TYPE_CHECKING:
    from pydantic import BaseModel

    from llama_mapper.domain.contracts.policies import PolicyActivationList, PolicyScope, PolicyVersionInfo
    from llama_mapper.entrypoints.containers.policies import Policies

Result = TypeVar("Result")
Model = TypeVar("Model", bound="BaseModel")

app = typer.Typer(help="Policy bundles: which detectors run, what must be covered, what follows.")

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


@app.callback()
def _group() -> None:
    """The commands about policies."""


@app.command()
def add(
    folder: Folder,
    tenant: Tenant = "local",
    everyone: Everyone = False,
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Draft, validate, approve and activate the bundle in FOLDER: for a single operator.

    It needs an installation without API keys, or the setting policy_four_eyes off. The record says that nobody else
    has approved it.
    """
    owner = owner_of(tenant, everyone)
    _tell_version(_run(lambda policies: policies.add(owner, folder, note), person, data_dir), as_json)


@app.command()
def draft(
    folder: Folder,
    tenant: Tenant = "local",
    everyone: Everyone = False,
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Store the bundle in FOLDER as a draft. A version is stored once and never changes."""
    owner = owner_of(tenant, everyone)
    _tell_version(_run(lambda policies: policies.draft(owner, folder, note), person, data_dir), as_json)


@app.command()
def validate(
    bundle: Bundle,
    version: Version,
    tenant: Tenant = "local",
    everyone: Everyone = False,
    person: Person = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Examine a draft; exit status 1 if it is not valid."""
    owner = owner_of(tenant, everyone)
    found = _run(lambda policies: policies.lifecycle.validate(owner, bundle, version, policies.actor), person, data_dir)
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        for problem in found.problems:
            print_lines(f"{problem.severity}: {problem.code}: {problem.path}: {problem.message}")
        _tell_version(found.version, False)
    raise typer.Exit(0 if found.valid else 1)


@app.command()
def approve(
    bundle: Bundle,
    version: Version,
    tenant: Tenant = "local",
    everyone: Everyone = False,
    person: Person = None,
    note: NoteText = "",
    single_operator: Annotated[
        bool, typer.Option("--single-operator", help="Approve alone, where that is permitted; it is recorded.")
    ] = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Approve a validated version that another person drafted."""
    from llama_mapper.domain.contracts.policies import PolicyApproval

    owner = owner_of(tenant, everyone)
    approval = _given(PolicyApproval, note=note, single_operator=single_operator)
    approved = _run(
        lambda policies: policies.lifecycle.approve(owner, bundle, version, approval, policies.actor), person, data_dir
    )
    _tell_version(approved, as_json)


@app.command()
def reject(
    bundle: Bundle,
    version: Version,
    reason: Annotated[str, typer.Option(help="Why.")],
    tenant: Tenant = "local",
    everyone: Everyone = False,
    person: Person = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Refuse a version that is not approved yet, for good."""
    from llama_mapper.domain.contracts.policies import PolicyRefusal

    owner, refusal = owner_of(tenant, everyone), _given(PolicyRefusal, reason=reason)
    refused = _run(
        lambda policies: policies.lifecycle.reject(owner, bundle, version, refusal, policies.actor), person, data_dir
    )
    _tell_version(refused, as_json)


@app.command()
def withdraw(
    bundle: Bundle,
    version: Version,
    reason: Annotated[str, typer.Option(help="Why.")],
    tenant: Tenant = "local",
    everyone: Everyone = False,
    person: Person = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Take a version back that was never in force, for good."""
    from llama_mapper.domain.contracts.policies import PolicyRefusal

    owner, refusal = owner_of(tenant, everyone), _given(PolicyRefusal, reason=reason)
    withdrawn = _run(
        lambda policies: policies.lifecycle.withdraw(owner, bundle, version, refusal, policies.actor), person, data_dir
    )
    _tell_version(withdrawn, as_json)


@app.command()
def activate(
    bundle: Bundle,
    version: Version,
    percent: Annotated[int, typer.Option(min=1, max=100, help="For this share of the traffic.")] = 100,
    key: Key = None,
    kind: Kind = None,
    monitor: Monitor = False,
    tenant: Tenant = "local",
    everyone: Everyone = False,
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Put an approved version in force; running servers use it within two seconds."""
    from llama_mapper.domain.contracts.policies import PolicyActivationRequest

    owner = owner_of(tenant, everyone)
    request = _given(PolicyActivationRequest, scope=_scope(key, kind, monitor), percent=percent, note=note)
    now = _run(
        lambda policies: policies.lifecycle.activate(owner, bundle, version, request, policies.actor), person, data_dir
    )
    _tell_activations(bundle, now, as_json)


@app.command()
def deactivate(
    bundle: Bundle,
    key: Key = None,
    kind: Kind = None,
    monitor: Monitor = False,
    tenant: Tenant = "local",
    everyone: Everyone = False,
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Leave a scope without a version of its own, so that the next level decides."""
    from llama_mapper.domain.contracts.policies import PolicyScopeRequest

    owner, request = owner_of(tenant, everyone), _given(PolicyScopeRequest, scope=_scope(key, kind, monitor), note=note)
    now = _run(lambda policies: policies.lifecycle.deactivate(owner, bundle, request, policies.actor), person, data_dir)
    _tell_activations(bundle, now, as_json)


@app.command()
def rollback(
    bundle: Bundle,
    key: Key = None,
    kind: Kind = None,
    monitor: Monitor = False,
    tenant: Tenant = "local",
    everyone: Everyone = False,
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Return a scope to what was in force before its last change."""
    from llama_mapper.domain.contracts.policies import PolicyScopeRequest

    owner, request = owner_of(tenant, everyone), _given(PolicyScopeRequest, scope=_scope(key, kind, monitor), note=note)
    now = _run(lambda policies: policies.lifecycle.rollback(owner, bundle, request, policies.actor), person, data_dir)
    _tell_activations(bundle, now, as_json)


@app.command("list")
def list_bundles(
    bundle: Annotated[str | None, typer.Argument(help="A bundle, to list its versions.")] = None,
    tenant: Tenant = "local",
    everyone: Everyone = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List a bundle's versions, or the tenant's, the global and the shipped bundles with what is in force of them."""
    owner = owner_of(tenant, everyone)
    if bundle is None:
        listed = _run(lambda policies: policies.overview(owner), None, data_dir)
        if as_json:
            typer.echo(json.dumps([asdict(one) for one in listed]))
        else:
            rows = ((one.bundle, one.version, one.origin, one.state, one.description) for one in listed)
            print_table(("bundle", "version", "from", "state", "description"), rows)
        return
    versions = _run(lambda policies: policies.lifecycle.versions(owner, bundle), None, data_dir)
    if as_json:
        typer.echo(versions.model_dump_json())
        return
    rows = (
        (one.version, one.state, one.author, one.drafted_at.isoformat(timespec="seconds"), one.description)
        for one in versions.items
    )
    print_table(("version", "state", "author", "drafted", "description"), rows)


@app.command()
def show(
    bundle: Bundle,
    version: Annotated[str | None, typer.Argument(help="A version; default: what is in force.")] = None,
    tenant: Tenant = "local",
    everyone: Everyone = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Show a version with its content, or what is in force of a bundle."""
    owner = owner_of(tenant, everyone)
    if version is None:
        _tell_activations(
            bundle, _run(lambda policies: policies.lifecycle.activations(owner, bundle), None, data_dir), as_json
        )
        return
    detail = _run(lambda policies: policies.lifecycle.version(owner, bundle, version), None, data_dir)
    if as_json:
        typer.echo(detail.model_dump_json())
        return
    _tell_version(detail, False)
    for path, source in sorted(detail.modules.items()):
        print_lines(f"--- {path}\n{source}")
    typer.echo(f"--- data\n{json.dumps(detail.data, indent=2)}")


@app.command()
def history(
    bundle: Bundle,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many steps.")] = 100,
    tenant: Tenant = "local",
    everyone: Everyone = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Print what happened to a bundle, newest first."""
    owner = owner_of(tenant, everyone)
    told = _run(lambda policies: policies.lifecycle.history(owner, bundle, limit=limit), None, data_dir)
    if as_json:
        typer.echo(told.model_dump_json())
        return
    rows = (
        (
            str(event.number),
            event.at.isoformat(timespec="seconds"),
            event.step,
            event.version or "",
            "" if event.scope is None else f"{_where(event.scope)} {event.percent} %",
            signed(event),
            event.note if event.waiver is None else f"[no second person: {event.waiver}] {event.note}",
        )
        for event in told.items
    )
    print_table(("step", "at", "what", "version", "scope", "who", "note"), rows)


@app.command()
def diff(
    bundle: Bundle,
    before: Annotated[str, typer.Argument(help="The earlier version.")],
    after: Annotated[str, typer.Argument(help="The later version.")],
    tenant: Tenant = "local",
    everyone: Everyone = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Print how two versions differ: modules, data, and the plans that they give. Either may be the shipped one."""
    owner = owner_of(tenant, everyone)
    found = _run(lambda policies: policies.lifecycle.difference(owner, bundle, before, after), None, data_dir)
    if as_json:
        typer.echo(found.model_dump_json())
        return
    for module in found.modules:
        print_lines(module.diff)
    for value in found.data:
        print_lines(f"data {value.path}: {json.dumps(value.before)} -> {json.dumps(value.after)}")
    for decision in found.decisions:
        kind = f"plan for {decision.content_type} content in mode {decision.processing_mode}"
        for error in (decision.before_error, decision.after_error):
            if error is not None:
                print_lines(f"{kind}: {error}")
        for value in decision.differences:
            print_lines(f"{kind} {value.path}: {json.dumps(value.before)} -> {json.dumps(value.after)}")
    typer.echo(f"{len(found.decisions)} of {found.decisions_compared} kinds of request get another plan")


def _run(use: Callable[[Policies], Awaitable[Result]], person: str | None, data_dir: Path | None) -> Result:
    from llama_mapper.entrypoints.containers.policies import open_policies
    from llama_mapper.entrypoints.settings import Settings

    async def run() -> Result:
        async with open_policies(Settings.load(data_dir=data_dir), person or user()) as policies:
            return await use(policies)

    return asyncio.run(run())


def _scope(key: str | None, kind: str | None, monitor: bool) -> PolicyScope:
    from llama_mapper.domain.contracts.policies import PolicyScope

    return _given(PolicyScope, key=key, content_type=kind, enforcement="monitor" if monitor else "enforce")


def _given(model: type[Model], **fields: object) -> Model:
    """What was given as options, with contract errors in the kernel's words."""
    from pydantic import ValidationError as PydanticError

    from llama_mapper.domain.contracts.refusals import refusal_of

    try:
        return model.model_validate(fields, strict=False)
    except PydanticError as error:
        raise refusal_of(error)[0] from None


def _tell_version(version: PolicyVersionInfo, as_json: bool) -> None:
    if as_json:
        typer.echo(version.model_dump_json())
    else:
        print_lines(f"{version.bundle}@{version.version} {version.digest} {version.state}")


def _tell_activations(bundle: str, activations: PolicyActivationList, as_json: bool) -> None:
    if as_json:
        typer.echo(activations.model_dump_json())
        return
    rows = (
        (
            bundle,
            one.version or "(out of force)",
            one.level,
            _where(one.scope),
            f"{one.percent} %",
            one.since.isoformat(timespec="seconds"),
        )
        for one in activations.items
    )
    print_table(("bundle", "version", "level", "scope", "share", "since"), rows)


def _where(scope: PolicyScope) -> str:
    parts = [f"key {scope.key}" if scope.key else "all keys", scope.content_type or "all content", scope.enforcement]
    return ", ".join(parts)
