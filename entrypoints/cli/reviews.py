"""`llama-mapper reviews`: labels that nobody could map, and what a person says of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llama_mapper.entrypoints.cli.curation import Json, NoteText, Person, Tenant, given, run
from llama_mapper.entrypoints.cli.options import DataDir
from llama_mapper.entrypoints.cli.persons import owner, signed
from llama_mapper.entrypoints.cli.printing import print_table

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.reviews import ReviewDetail
    from llama_mapper.entrypoints.containers.curation import Curation

app = typer.Typer(help="The review queue: labels that nobody could map, and decisions about them.")

ReviewId = Annotated[str, typer.Argument(help="The label's id in the queue.")]
Revision = Annotated[int | None, typer.Option(min=0, help="Only if the label has this revision.")]
_PAGE = 1_000


@app.callback()
def _group() -> None:
    """The commands about reviews."""


@app.command("list")
def list_reviews(
    status: Annotated[str, typer.Option(help="open, accepted, corrected, dismissed or all.")] = "open",
    vendor: Annotated[str | None, typer.Option(help="Only this vendor's.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 100,
    tenant: Tenant = "local",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List labels, those seen last first."""
    from llama_mapper.domain.contracts.mapping import ReviewStatus
    from llama_mapper.domain.kernel.errors import ValidationError

    try:
        chosen = None if status == "all" else ReviewStatus(status)
    except ValueError:
        raise ValidationError(f"status is one of {', '.join((*ReviewStatus, 'all'))}") from None
    page = run(
        lambda curation: curation.desks.reviews.page(
            owner(tenant), limit=limit, cursor=None, status=chosen, vendor=vendor
        ),
        None,
        data_dir,
    )
    if as_json:
        typer.echo(page.model_dump_json())
        return
    rows = (
        (
            item.id,
            item.vendor,
            item.vendor_version or "",
            item.label,
            str(item.occurrences),
            item.status,
            item.canonical or " ".join(f"{each.canonical} ({each.confidence:.0%})?" for each in item.suggestions),
        )
        for item in page.items
    )
    print_table(("id", "vendor", "version", "label", "seen", "status", "means"), rows)


@app.command()
def accept(
    review_id: ReviewId,
    canonical: Annotated[str | None, typer.Option(help="Which of the suggestions; default: the first.")] = None,
    revision: Revision = None,
    tenant: Tenant = "local",
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Take a suggestion: the label joins the tenant's overlay, in running servers within two seconds."""
    from llama_mapper.domain.contracts.reviews import ReviewAcceptance

    decision = given(ReviewAcceptance, canonical=canonical, revision=revision, note=note)

    async def use(curation: Curation) -> ReviewDetail:
        return await curation.desks.reviews.accept(owner(tenant), review_id, decision, curation.curator)

    _tell(run(use, person, data_dir), as_json)


@app.command()
def correct(
    review_id: ReviewId,
    canonical: Annotated[str, typer.Argument(help="The canonical id that the label means.")],
    revision: Revision = None,
    tenant: Tenant = "local",
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Give the canonical id: the label joins the tenant's overlay, in running servers within two seconds."""
    from llama_mapper.domain.contracts.reviews import ReviewCorrection

    decision = given(ReviewCorrection, canonical=canonical, revision=revision, note=note)

    async def use(curation: Curation) -> ReviewDetail:
        return await curation.desks.reviews.correct(owner(tenant), review_id, decision, curation.curator)

    _tell(run(use, person, data_dir), as_json)


@app.command()
def dismiss(
    review_id: ReviewId,
    revision: Revision = None,
    tenant: Tenant = "local",
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Say that it is no label of a risk: it goes on abstaining, and waits for nobody."""
    from llama_mapper.domain.contracts.reviews import ReviewDecisionNote

    decision = given(ReviewDecisionNote, revision=revision, note=note)

    async def use(curation: Curation) -> ReviewDetail:
        return await curation.desks.reviews.dismiss(owner(tenant), review_id, decision, curation.curator)

    _tell(run(use, person, data_dir), as_json)


@app.command()
def reopen(
    review_id: ReviewId,
    revision: Revision = None,
    tenant: Tenant = "local",
    person: Person = None,
    note: NoteText = "",
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Take a decision back: the label leaves the overlay and waits again."""
    from llama_mapper.domain.contracts.reviews import ReviewDecisionNote

    decision = given(ReviewDecisionNote, revision=revision, note=note)

    async def use(curation: Curation) -> ReviewDetail:
        return await curation.desks.reviews.reopen(owner(tenant), review_id, decision, curation.curator)

    _tell(run(use, person, data_dir), as_json)


@app.command()
def show(review_id: ReviewId, tenant: Tenant = "local", as_json: Json = False, data_dir: DataDir = None) -> None:
    """Show a label and every decision about it."""
    _tell(run(lambda curation: curation.desks.reviews.detail(owner(tenant), review_id), None, data_dir), as_json)


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to; default: standard output.")] = None,
    tenant: Tenant = "local",
    data_dir: DataDir = None,
) -> None:
    """Write every decided label as training data, one JSON object a line; no names of persons."""
    from llama_mapper.domain.kernel.errors import ConfigurationError

    async def use(curation: Curation) -> list[str]:
        lines: list[str] = []
        after = 0
        while labels := await curation.desks.reviews.export(owner(tenant), after=after, limit=_PAGE):
            lines += [label.model_dump_json() for label in labels]
            after = labels[-1].position
        return lines

    text = "".join(f"{line}\n" for line in run(use, None, data_dir))
    if file is None:
        sys.stdout.write(text)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from error


def _tell(detail: ReviewDetail, as_json: bool) -> None:
    if as_json:
        typer.echo(detail.model_dump_json())
        return
    item = detail.item
    row = (item.id, item.vendor, item.vendor_version or "", item.label, item.status, item.canonical or "")
    print_table(("id", "vendor", "version", "label", "status", "means"), [row])
    decisions = (
        (
            str(each.number),
            each.at.isoformat(timespec="seconds"),
            each.step,
            each.canonical or "",
            signed(each),
            each.note,
        )
        for each in detail.decisions
    )
    print_table(("revision", "at", "what", "means", "who", "note"), decisions)
