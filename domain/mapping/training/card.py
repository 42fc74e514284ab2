"""The provenance card of a data set: what is in it, where that is from, and under which versions it was made."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from llama_mapper.domain.contracts.catalogue import category_of
from llama_mapper.domain.mapping.training.dataset import Recipe, Source, Split, TrainingExample, rows_digest
from llama_mapper.domain.mapping.training.knowledge import Knowledge
from llama_mapper.domain.mapping.training.spec import TrainingTask

CARD_VERSION = 1

BASES = {
    "defined": "defined by this product",
    "run": "printed by the tool itself",
    "file": "read in the vendor's published files",
    "docs": "read in the vendor's documentation",
    "knowledge": "not compared with a source",
}
"""How a vocabulary is known, in words."""

_RIGHTS = (
    "Labels are identifiers and short names that vendors publish; they are facts and are quoted as such. The choice of "
    "canonical labels, the wordings and the questions are this project's own, under its licence (Apache-2.0). Reviewed "
    "labels belong to the tenant who reviewed them. No assessed content is in the data."
)


def card_of(
    task: TrainingTask,
    examples: tuple[TrainingExample, ...],
    recipe: Recipe,
    *,
    knowledge: Knowledge,
    families: Mapping[str, str],
    template: str,
    code_version: str,
    left_out: int,
) -> dict[str, Any]:
    """The card as plain data. `left_out` are labels that were repeated, too many, or in an earlier split already."""
    vendors: dict[str, dict[str, Any]] = {}
    for example in examples:
        if example.vendor not in families:
            continue
        entry = vendors.setdefault(example.vendor, _vendor(example.vendor, knowledge, families))
        entry["split"] = example.split.value
        entry["examples"] += 1
    categories: dict[str, Counter[str]] = {}
    for example in examples:
        category = category_of(example.subject) if "." in example.subject else example.subject
        categories.setdefault(category, Counter())[example.split.value] += 1
    return {
        "card_version": CARD_VERSION,
        "task": task.value,
        "digest": rows_digest(examples),
        "seed": recipe.seed,
        "recipe": asdict(recipe),
        "code_version": code_version,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "template_version": template,
        "versions": dict(knowledge.versions),
        "digests": dict(knowledge.digests),
        "rights": _RIGHTS,
        "splits": {split.value: sum(example.split is split for example in examples) for split in Split},
        "sources": _counted(example.source.value for example in examples),
        "answers": {
            "none_of_these": sum(example.subject == "none" for example in examples),
            "meaningless": sum(example.source is Source.MEANINGLESS for example in examples),
        },
        "left_out": left_out,
        "vendors": dict(sorted(vendors.items())),
        "categories": {name: dict(sorted(counts.items())) for name, counts in sorted(categories.items())},
    }


def markdown_of(card: Mapping[str, Any]) -> str:
    """The card for people."""
    answers = card["answers"]
    lines = [
        f"# Data set for the {card['task']}",
        "",
        f"`{card['digest']}`, made by llama-mapper {card['code_version']} with seed {card['seed']}.",
        "",
        card["rights"],
        "",
        *_table(("split", "examples"), card["splits"].items()),
        *_table(("source", "examples"), card["sources"].items()),
        f"In {answers['none_of_these']} questions none of the options is right; {answers['meaningless']} of them are "
        f"about meaningless labels. {card['left_out']} labels were left out: repeated, too many of one meaning, or in "
        "an earlier split already.",
        "",
        "## Documents",
        "",
        *_table(
            ("document", "version", "digest"),
            ((name, version, card["digests"].get(name, "")) for name, version in card["versions"].items()),
        ),
        f"Question template: `{card['template_version']}`.",
        "",
        "## Vendors",
        "",
        *_table(
            ("vendor", "family", "split", "examples", "source", "how its labels are known"),
            (
                (vendor, told["family"], told["split"], told["examples"], told["source"], told["basis"])
                for vendor, told in card["vendors"].items()
            ),
        ),
        "## Categories",
        "",
        *_table(
            ("category", *(split.value for split in Split)),
            ((name, *(counts.get(split.value, 0) for split in Split)) for name, counts in card["categories"].items()),
        ),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _vendor(vendor: str, knowledge: Knowledge, families: Mapping[str, str]) -> dict[str, Any]:
    origin = knowledge.origins.get(vendor)
    return {
        "family": families[vendor],
        "source": origin.source if origin else "reviewed by the tenant",
        "basis": BASES.get(origin.basis, origin.basis) if origin else "decided by reviewers",
        "examples": 0,
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> list[str]:
    cells = [" | ".join(str(cell).replace("|", "\\|") for cell in row) for row in rows]
    return [f"| {' | '.join(head)} |", "|" + " --- |" * len(head), *(f"| {row} |" for row in cells), ""]
