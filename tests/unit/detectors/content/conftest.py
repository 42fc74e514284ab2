"""Every content scanner, loaded once for all tests."""

from __future__ import annotations

import pytest

from llama_mapper.adapters.orchestration.scanners.content.abuse_rules import abuse_scanner
from llama_mapper.adapters.orchestration.scanners.content.language_py3langid import langid_scanner
from llama_mapper.adapters.orchestration.scanners.content.prompt_attack_picket import picket_scanner
from llama_mapper.adapters.orchestration.scanners.content.prompt_attack_rules import prompt_attack_scanner
from llama_mapper.adapters.orchestration.scanners.content.secrets_betterleaks import betterleaks_scanner
from llama_mapper.adapters.orchestration.scanners.content.secrets_detect_secrets import detect_secrets_scanner
from llama_mapper.adapters.orchestration.scanners.content.secrets_phrases import secret_phrase_scanner
from llama_mapper.adapters.orchestration.scanners.content.toxicity_alt_profanity_check import profanity_check_scanner
from llama_mapper.adapters.orchestration.scanners.content.violence_rules import violence_scanner
from llama_mapper.adapters.orchestration.scanners.scanner import TextScanner

FACTORIES = (
    detect_secrets_scanner,
    betterleaks_scanner,
    secret_phrase_scanner,
    profanity_check_scanner,
    abuse_scanner,
    violence_scanner,
    picket_scanner,
    prompt_attack_scanner,
    langid_scanner,
)


@pytest.fixture(scope="session")
def scanners() -> dict[str, TextScanner]:
    """The loaded scanners by name."""
    built: dict[str, TextScanner] = {}
    for factory in FACTORIES:
        scanner = factory()
        scanner.load()
        built[scanner.descriptor.name] = scanner
    return built
