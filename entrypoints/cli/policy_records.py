"""`llama-mapper policies list`, `show`, `history` and `diff`: what there is, and what happened."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.persons import owner as owner_of
from llama_mapper.entrypoints.cli.persons import signed
from llama_mapper.entrypoints.cli.policy_options import (
    Bundle,
    Everyone,
    Json,
    Tenant,
    run,
    tell_activations,
    tell_version,
    where,
)
from llama_mapper.entrypoints.cli.printing import print_lines, print_table


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
        listed = run(lambda policies: policies.overview(owner), None, data_dir)
        if as_json:
            typer.echo(json.dumps([asdict(one) for one in listed]))
        else:
            rows = ((one.bundle, one.version, one.origin, one.state, one.description) for one in listed)
            print_table(("bundle", "version", "from", "state", "description"), rows)
        return
    versions = run(lambda policies: policies.lifecycle.versions(owner, bundle), None, data_dir)
    if as_json:
        typer.echo(versions.model_dump_json())
        return
    rows = (
        (one.version, one.state, one.author, one.drafted_at.isoformat(timespec="seconds"), one.description)
        for one in versions.items
    )
    print_table(("version", "state", "author", "drafted", "description"), rows)


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
        tell_activations(
            bundle, run(lambda policies: policies.lifecycle.activations(owner, bundle), None, data_dir), as_json
        )
        return
    detail = run(lambda policies: policies.lifecycle.version(owner, bundle, version), None, data_dir)
    if as_json:
        typer.echo(detail.model_dump_json())
        return
    tell_version(detail, False)
    for path, source in sorted(detail.modules.items()):
        print_lines(f"--- {path}\n{source}")
    typer.echo(f"--- data\n{json.dumps(detail.data, indent=2)}")


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
    told = run(lambda policies: policies.lifecycle.history(owner, bundle, limit=limit), None, data_dir)
    if as_json:
        typer.echo(told.model_dump_json())
        return
    rows = (
        (
            str(event.number),
            event.at.isoformat(timespec="seconds"),
            event.step,
            event.version or "",
            "" if event.scope is None else f"{where(event.scope)} {event.percent} %",
            signed(event),
            event.note if event.waiver is None else f"[no second person: {event.waiver}] {event.note}",
        )
        for event in told.items
    )
    print_table(("step", "at", "what", "version", "scope", "who", "note"), rows)


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
    found = run(lambda policies: policies.lifecycle.difference(owner, bundle, before, after), None, data_dir)
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
