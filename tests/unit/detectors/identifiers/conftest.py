"""The real scanners, loaded once."""

from __future__ import annotations

import pytest

from llama_mapper.adapters.orchestration.scanners.health_records.scanner import health_scanner
from llama_mapper.adapters.orchestration.scanners.identifiers.financial_context import financial_context_scanner
from llama_mapper.adapters.orchestration.scanners.identifiers.personal_context import personal_context_scanner
from llama_mapper.adapters.orchestration.scanners.identifiers.presidio_patterns import presidio_scanner
from llama_mapper.adapters.orchestration.scanners.scanner import TextScanner


def _loaded(scanner: TextScanner) -> TextScanner:
    scanner.load()
    return scanner


@pytest.fixture(scope="session")
def presidio() -> TextScanner:
    return _loaded(presidio_scanner())


@pytest.fixture(scope="session")
def personal() -> TextScanner:
    return _loaded(personal_context_scanner())


@pytest.fixture(scope="session")
def financial() -> TextScanner:
    return _loaded(financial_context_scanner())


@pytest.fixture(scope="session")
def health() -> TextScanner:
    return _loaded(health_scanner())


@pytest.fixture(scope="session")
def scanners(
    presidio: TextScanner, personal: TextScanner, financial: TextScanner, health: TextScanner
) -> tuple[TextScanner, ...]:
    return presidio, personal, financial, health
