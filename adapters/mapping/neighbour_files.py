"""What neighbours and the cascade know, read from package data with PyYAML."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from llama_mapper.adapters.platform.catalogue_files import load_raw_catalogue, parse_document
from llama_mapper.domain.kernel.errors import StoreError
from llama_mapper.domain.mapping.cascade.calibration import Calibration, calibration_document, calibration_from
from llama_mapper.domain.mapping.cascade.families import VendorFamilies, families_from
from llama_mapper.domain.mapping.catalogue.raw import RawCatalogue
from llama_mapper.domain.mapping.catalogue.rules import canonical_labels
from llama_mapper.domain.mapping.neighbours.lexicon import lexicon_from
from llama_mapper.domain.mapping.neighbours.references import Lexicon

_DATA = "llama_mapper.domain.mapping.catalogue.data"
_CALIBRATION_HEAD = (
    "# How far the stages after the catalogue are trusted, by what was measured on held-out families of vendors.\n"
    "# Written by `llama-mapper catalogue calibrate`; do not edit, but run it again when vocabularies, synonyms or a\n"
    "# stage change.\n"
)


def load_lexicon(raw: RawCatalogue) -> Lexicon:
    """The shipped synonyms; raise `CATALOGUE_INVALID` if they contradict the taxonomy or themselves."""
    return lexicon_from(_document("synonyms"), canonical_labels(raw.taxonomy))


def load_families(raw: RawCatalogue) -> VendorFamilies:
    """The shipped families of vendors; raise `CATALOGUE_INVALID` if they contradict the vocabularies."""
    return families_from(_document("families"), raw.vocabularies["vendors"])


def load_calibration(path: Path | None = None) -> Calibration:
    """The shipped calibration, or the one in a file; raise `CATALOGUE_INVALID` if it is none."""
    if path is None:
        return calibration_from(_document("calibration"))
    try:
        return calibration_from(parse_document(path.read_text("utf-8"), "calibration"))
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from error


def write_calibration(calibration: Calibration, path: Path) -> None:
    """Write a calibration so that `load_calibration` reads it, whole or not at all."""
    import yaml

    text = yaml.safe_dump(calibration_document(calibration), sort_keys=False, width=120, default_flow_style=None)
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(_CALIBRATION_HEAD + text, "utf-8")
        part.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error


def shipped_calibration_path() -> Path:
    """Where the shipped calibration lies in this installation."""
    return Path(str(resources.files(_DATA) / "calibration.yaml"))


def load_shipped() -> RawCatalogue:
    """The shipped catalogue as plain data."""
    return load_raw_catalogue()


def _document(name: str) -> Mapping[str, Any]:
    return parse_document((resources.files(_DATA) / f"{name}.yaml").read_text(encoding="utf-8"), name)
