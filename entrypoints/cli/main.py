"""`llama-mapper`: every command; each loads what it needs when it runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from llama_mapper.entrypoints.cli import (
    assess,
    catalogue,
    cost_optimisation,
    costs,
    crosswalks,
    db,
    detectors,
    evaluate,
    evidence,
    experiments,
    frameworks,
    health,
    jobs,
    keys,
    labels,
    mapping_settings,
    model_servers,
    models,
    monitor,
    openapi,
    plugins,
    policies,
    policy_records,
    policy_tools,
    releases,
    report,
    reviews,
    schemas,
    serve,
    templates,
    train,
    training_jobs,
    validate,
    vocabularies,
)

app = typer.Typer(
    name="llama-mapper",
    help="Run content detectors and get one record: findings, risk, canonical labels, controls, signed evidence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("serve")(serve.serve)
app.command("assess")(assess.assess)
app.command("map")(labels.map_labels)
app.command("validate")(validate.validate)
app.command("health")(health.health)
app.command("openapi")(openapi.openapi)
policies.app.command("list")(policy_records.list_bundles)
policies.app.command("show")(policy_records.show)
policies.app.command("history")(policy_records.history)
policies.app.command("diff")(policy_records.diff)
policies.app.command("lint")(policy_tools.lint)
policies.app.command("migrate")(policy_tools.migrate)
policies.app.command("simulate")(policy_tools.simulate)
models.app.command("servers")(model_servers.servers)
models.app.command("load")(model_servers.load)
models.app.command("unload")(model_servers.unload)
models.app.command("statistics")(model_servers.statistics)
costs.app.command("optimise")(cost_optimisation.optimise)
costs.app.command("recommendations")(cost_optimisation.recommendations)
app.add_typer(policies.app, name="policies")
app.add_typer(plugins.app, name="plugins")
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(costs.app, name="costs")
app.add_typer(crosswalks.app, name="crosswalks")
app.add_typer(frameworks.app, name="frameworks")
app.add_typer(mapping_settings.app, name="mapping-settings")
app.add_typer(report.app, name="report")
app.add_typer(templates.app, name="templates")
app.add_typer(reviews.app, name="reviews")
app.add_typer(vocabularies.app, name="vocabularies")
app.add_typer(db.app, name="db")
app.add_typer(detectors.app, name="detectors")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(evidence.app, name="evidence")
app.add_typer(jobs.app, name="jobs")
app.add_typer(keys.app, name="keys")
app.add_typer(schemas.app, name="schemas")
app.add_typer(models.app, name="models")
app.add_typer(monitor.app, name="monitor")
app.add_typer(releases.app, name="releases")
app.add_typer(experiments.app, name="experiments")
train.app.add_typer(training_jobs.app, name="jobs")
app.add_typer(train.app, name="train")


def _version(asked: bool) -> None:
    if asked:
        from llama_mapper.entrypoints.version import service_version

        typer.echo(service_version())
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Run the command line; an error raised on purpose is told on standard error, with exit status 2."""
    from llama_mapper.domain.kernel.errors import DocumentError, ServiceError

    try:
        app()
    except ServiceError as error:
        sys.stderr.write(f"llama-mapper: {error.error_code.value}: {error.message}\n")
        for where, what in error.problems if isinstance(error, DocumentError) else ():
            sys.stderr.write(f"  {where}: {what}\n")
        sys.exit(2)
