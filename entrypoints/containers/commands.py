"""What commands need of the adapters without starting the product."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_mapper.domain.kernel.errors import ConfigurationError, EvidenceError
from llama_mapper.entrypoints.settings import Settings

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.own_catalogue import FrameworkUpload
    from llama_mapper.domain.mapping.catalogue.raw import RawCatalogue


def start_logging(settings: Settings) -> None:
    """Set up the logs of a process of our own."""
    from llama_mapper.adapters.platform.structlog_logging import configure_logging

    configure_logging(settings.log_level, settings.log_format)


def verify_evidence(file: Path, public_key: Path | None, settings: Settings) -> dict[str, Any]:
    """The document of an evidence file, if it is unchanged and signed by `public_key` or by this installation's key.

    Raises `EVIDENCE_INVALID` if it is not, `CONFIGURATION_INVALID` if the file or the key cannot be read.
    """
    from llama_mapper.adapters.platform.ed25519_signer import PUBLIC_KEY_FILE, load_public_keys
    from llama_mapper.domain.assessment.envelope import verify_envelope

    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    try:
        keys = load_public_keys(public_key or settings.data_dir / "keys" / PUBLIC_KEY_FILE)
    except EvidenceError as error:
        raise ConfigurationError(f"{error.message}; name the signer's with --public-key") from error
    return verify_envelope(raw, keys)


def framework_problems(framework: str, edition: str, upload: FrameworkUpload) -> list[tuple[str, str]]:
    """Everything that is wrong with an edition that somebody wants to upload; nothing is opened for it."""
    from llama_mapper.adapters.platform.catalogue_files import load_catalogue
    from llama_mapper.domain.mapping.frameworks.desk import problems_of_upload

    catalogue = load_catalogue()
    return problems_of_upload(framework, edition, upload, catalogue, catalogue.labels)


def catalogue_findings() -> tuple[list[str], dict[str, int]]:
    """What contradicts itself in the shipped catalogue, and how much of everything there is."""
    from llama_mapper.adapters.platform.catalogue_files import load_crosswalk_cases, load_raw_catalogue
    from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
    from llama_mapper.domain.mapping.catalogue.validation import validate_catalogue

    raw = load_raw_catalogue()
    problems = [str(problem) for problem in validate_catalogue(raw)]
    problems += [f"{where}: {what}" for where, what in _problems_beside(raw)] if not problems else []
    if problems:
        return problems, {}
    catalogue = Catalogue(raw)
    return [], {
        "risk categories": len(catalogue.categories),
        "vendors": len(raw.vocabularies["vendors"]),
        "framework editions": len(catalogue.frameworks()),
        "test cases of the crosswalk": len(load_crosswalk_cases()),
    }


def _problems_beside(raw: RawCatalogue) -> Iterator[tuple[str, str]]:
    """What is wrong with the documents that stand beside a valid catalogue: migrations, test cases."""
    from llama_mapper.adapters.platform.catalogue_files import load_crosswalk_cases, load_migrations
    from llama_mapper.domain.mapping.catalogue.rules import canonical_labels
    from llama_mapper.domain.mapping.crosswalks.accuracy import case_problems

    labels = canonical_labels(raw.taxonomy)
    editions = {
        f"{framework}:{edition}": listed["controls"]
        for framework, entry in raw.frameworks["frameworks"].items()
        for edition, listed in entry["editions"].items()
    }
    yield from case_problems(load_crosswalk_cases(), labels, editions)
    migrations = load_migrations()
    if migrations and migrations[-1].after != raw.taxonomy["version"]:
        yield "migrations", f"do not end at the present version, {raw.taxonomy['version']}"
