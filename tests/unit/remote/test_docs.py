"""The examples in `docs/detectors-remote.md` are true."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest
import yaml

from llama_mapper.adapters.orchestration.remote.factory import dialect_of
from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.domain.contracts.catalogue import category_of
from llama_mapper.domain.contracts.detectors import ChatGuardDetector, DetectorDefinition, GuardFamily
from llama_mapper.domain.orchestration.ports import Inquiry

PAGE = Path(__file__).parents[3] / "docs" / "detectors-remote.md"
TEXT = PAGE.read_text("utf-8")
EXAMPLES = {
    definition.name: definition
    for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    for definition in [DetectorDefinition.model_validate_json(orjson.dumps(yaml.safe_load(block)))]
}
SOURCES = Path(__file__).parents[3] / "adapters" / "orchestration" / "remote"


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_makes_a_detector_whose_labels_and_categories_exist(name: str) -> None:
    definition, catalogue = EXAMPLES[name], load_catalogue()
    assert dialect_of(definition).ask(Inquiry("x"))
    assert set(definition.categories) <= catalogue.categories.keys()
    assert all(catalogue.name(canonical) for canonical in definition.vocabulary.values())
    assert {category_of(canonical) for canonical in definition.vocabulary.values()} <= catalogue.categories.keys()


def test_there_is_an_example_of_every_kind_and_family() -> None:
    kinds = {definition.protocol.kind for definition in EXAMPLES.values()}
    assert kinds == {"fms", "http_json", "presidio", "openai_moderation", "chat_guard"}
    guards = [each.protocol for each in EXAMPLES.values() if isinstance(each.protocol, ChatGuardDetector)]
    assert {guard.family for guard in guards} == set(GuardFamily)


def test_every_code_that_the_adapters_give_is_in_the_table_and_no_other() -> None:
    given = {code for file in SOURCES.rglob("*.py") for code in re.findall(r'"(DETECTOR_[A-Z_]+)"', file.read_text())}
    assert set(re.findall(r"^\| `(DETECTOR_[A-Z_]+)`", TEXT, re.MULTILINE)) == given | {"DETECTOR_TIMEOUT"}
