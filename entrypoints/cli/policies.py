"""`llama-mapper policies`: the life of policy bundles, from a draft to what requests get."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.persons import owner as owner_of
from llama_mapper.entrypoints.cli.policy_options import (
    Bundle,
    Everyone,
    Folder,
    Json,
    Key,
    Kind,
    Monitor,
    NoteText,
    Person,
    Tenant,
    Version,
    given,
    run,
    scope_of,
    tell_activations,
    tell_version,
)
from llama_mapper.entrypoints.cli.printing import print_lines

app = typer.Typer(help="Policy bundles: which detectors run, what must be covered, what follows.")


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
    tell_version(run(lambda policies: policies.add(owner, folder, note), person, data_dir), as_json)


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
    tell_version(run(lambda policies: policies.draft(owner, folder, note), person, data_dir), as_json)


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
    found = run(lambda policies: policies.lifecycle.validate(owner, bundle, version, policies.actor), person, data_dir)
    if as_json:
        typer.echo(found.model_dump_json())
    else:
        for problem in found.problems:
            print_lines(f"{problem.severity}: {problem.code}: {problem.path}: {problem.message}")
        tell_version(found.version, False)
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
    approval = given(PolicyApproval, note=note, single_operator=single_operator)
    approved = run(
        lambda policies: policies.lifecycle.approve(owner, bundle, version, approval, policies.actor), person, data_dir
    )
    tell_version(approved, as_json)


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

    owner, refusal = owner_of(tenant, everyone), given(PolicyRefusal, reason=reason)
    refused = run(
        lambda policies: policies.lifecycle.reject(owner, bundle, version, refusal, policies.actor), person, data_dir
    )
    tell_version(refused, as_json)


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

    owner, refusal = owner_of(tenant, everyone), given(PolicyRefusal, reason=reason)
    withdrawn = run(
        lambda policies: policies.lifecycle.withdraw(owner, bundle, version, refusal, policies.actor), person, data_dir
    )
    tell_version(withdrawn, as_json)


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
    request = given(PolicyActivationRequest, scope=scope_of(key, kind, monitor), percent=percent, note=note)
    now = run(
        lambda policies: policies.lifecycle.activate(owner, bundle, version, request, policies.actor), person, data_dir
    )
    tell_activations(bundle, now, as_json)


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

    owner, request = (
        owner_of(tenant, everyone),
        given(PolicyScopeRequest, scope=scope_of(key, kind, monitor), note=note),
    )
    now = run(lambda policies: policies.lifecycle.deactivate(owner, bundle, request, policies.actor), person, data_dir)
    tell_activations(bundle, now, as_json)


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

    owner, request = (
        owner_of(tenant, everyone),
        given(PolicyScopeRequest, scope=scope_of(key, kind, monitor), note=note),
    )
    now = run(lambda policies: policies.lifecycle.rollback(owner, bundle, request, policies.actor), person, data_dir)
    tell_activations(bundle, now, as_json)
