"""`llama-mapper evidence`: checking signed evidence, anywhere, with the public key alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llama_mapper.entrypoints.cli.options import DataDir

app = typer.Typer(help="Signed evidence.")


@app.callback()
def _group() -> None:
    """The commands about evidence."""


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="An evidence file, as GET /v1/assessments/{id}/evidence gives it.")],
    public_key: Annotated[
        Path | None, typer.Option(help="PEM file of the signer's public key; default: this installation's.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Check that FILE is unchanged and signed by the key; exit status 1 if it is not."""
    from llama_mapper.domain.kernel.errors import EvidenceError
    from llama_mapper.entrypoints.containers.commands import verify_evidence
    from llama_mapper.entrypoints.settings import Settings

    try:
        document = verify_evidence(file, public_key, Settings.load(data_dir=data_dir))
    except EvidenceError as error:
        typer.echo(f"NOT VALID: {error.message}", err=True)
        raise typer.Exit(1) from None
    typer.echo(
        f"valid: assessment {document['assessment_id']} of tenant {document['tenant_id']}, {document['created_at']}, "
        f"verdict {document['verdict']['action']}, {len(document['findings'])} findings"
    )
