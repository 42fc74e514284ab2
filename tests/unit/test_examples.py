"""What stands in `examples/` for people to copy is right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
import yaml

from llama_mapper.adapters.orchestration.policies.policy_folders import read_policy_folder
from llama_mapper.adapters.orchestration.remote.factory import dialect_of
from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.domain.contracts.detectors import DetectorDefinition
from llama_mapper.domain.contracts.releases import read_start
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inquiry
from llama_mapper.entrypoints.containers.policy_engines import bundle_validator
from llama_mapper.entrypoints.settings import Settings

EXAMPLES = Path(__file__).parents[2] / "examples"
SOME = (
    DetectorDescriptor("names", "acme", "1", ("pii.personal_identifiers", "pii.financial_data"), (), (), 0.0),
    DetectorDescriptor("secrets", "acme", "1", ("security.credentials",), (), (), 0.0),
    DetectorDescriptor("attacks", "acme", "1", ("security.prompt_attack",), (), (), 0.0),
    DetectorDescriptor("insults", "acme", "1", ("content.toxic_language",), (), (), 0.0),
)


@pytest.mark.parametrize("detectors", [(), SOME], ids=["a fresh installation", "one with detectors"])
async def test_the_example_policy_passes_without_a_warning(
    detectors: Sequence[DetectorDescriptor], tmp_path: Path
) -> None:
    async def registered() -> Sequence[DetectorDescriptor]:
        return detectors

    settings = Settings.load(data_dir=tmp_path, policy_timeout_ms=60_000)
    validator = bundle_validator(settings, registered, load_catalogue().categories)
    report = await validator.validate(read_policy_folder(EXAMPLES / "policy"), "local")
    assert report.problems == ()
    assert report.tests
    assert all(test.passed for test in report.tests)


@pytest.mark.parametrize("file", sorted((EXAMPLES / "detectors").glob("*.yaml")), ids=lambda file: file.stem)
def test_an_example_definition_makes_a_detector_whose_labels_and_categories_exist(file: Path) -> None:
    definition = DetectorDefinition.model_validate_json(orjson.dumps(yaml.safe_load(file.read_text("utf-8"))))
    catalogue = load_catalogue()
    assert dialect_of(definition).ask(Inquiry("x"))
    assert set(definition.categories) <= catalogue.categories.keys()
    assert catalogue.has_vocabulary(definition.vendor, definition.vendor_version)


def test_the_readme_names_everything_that_is_here() -> None:
    text = (EXAMPLES / "README.md").read_text("utf-8")
    assert all(f"`{entry.name}" in text for entry in EXAMPLES.iterdir() if entry.name != "README.md")


@pytest.mark.parametrize("file", sorted((EXAMPLES / "releases").glob("*.yaml")), ids=lambda file: file.stem)
def test_an_example_plan_is_one(file: Path) -> None:
    assert read_start(orjson.dumps(yaml.safe_load(file.read_text("utf-8"))).decode()).note
