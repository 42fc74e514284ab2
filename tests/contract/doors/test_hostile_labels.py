"""Hostile labels and a model server that lies, through HTTP and the command line: no id off the taxonomy, no text of
the label in a rationale."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.domain.contracts.mapping import MappedLabel
from llama_mapper.domain.kernel.tenancy import Scope
from llama_mapper.domain.mapping.generation.explaining import Explainer
from tests.contract.doors.test_own_catalogue import House, Person
from tests.e2e.test_own_catalogue_cli import told
from tests.support.apis import word_detectors
from tests.support.detector_servers import DetectorServer, detector_server
from tests.support.doors import open_door
from tests.support.hostile_labels import HOSTILE_LABELS, TARGET

MARK = "Zq7Wk2Vx"
"""Somewhere in every label, and in nothing that we write."""

CATALOGUE = load_catalogue()
EDITIONS = CATALOGUE.resolve_frameworks(("soc2", "gdpr"))
ANSWERED_WITH = re.compile(rf"[^\x00-\x1f\x7f\ud800-\udfff]{{1,{256 - len(MARK)}}}")
LABELS = st.tuples(
    st.sampled_from([each for each in HOSTILE_LABELS if ANSWERED_WITH.fullmatch(each)])
    | st.from_regex(ANSWERED_WITH, fullmatch=True).filter(lambda text: len(text) <= 200),
    st.integers(0, 9999),
    st.booleans(),
).map(lambda parts: (f"{MARK}{parts[1]} {parts[0]}" if parts[2] else f"{parts[0]} {MARK}{parts[1]}")[:256])
LIES = (
    "{label}",
    '"{label}"',
    '{{"id": "{label}"}}',
    '{{"id": "no.such_label"}}',
    f'{{{{"id": "{TARGET}"}}}}',
    f"{TARGET}",
    '"A"',
    '"B"',
    '"Z"',
    '{{"id": "security.nothing", "why": "{label}"}}',
    "",
    "{{" * 200,
    '"A" because {label}',
)
"""What the model says instead of one of the options; `"A"` and `"B"` are options, whatever the label is."""


def held(mapped: MappedLabel) -> None:
    """What every answer promises, whoever made it."""
    named = {mapped.canonical, mapped.instead_of, *mapped.also, *(one.canonical for one in mapped.suggestions)} - {None}
    assert named <= {*CATALOGUE.labels}
    assert (mapped.canonical is None) is mapped.abstained
    assert mapped.rationale
    assert MARK not in mapped.rationale + repr(mapped.faults) + repr(mapped.controls)
    # Of another label with the same facts it says the same.
    explain = Explainer(CATALOGUE, EDITIONS, usual=0.6)
    assert explain(mapped.model_copy(update={"label": "another"})).rationale == mapped.rationale


def lying(server: DetectorServer, lie: str, label: str) -> None:
    reply = lie.format(label=label.replace("{", "").replace("}", ""))
    message = {"role": "assistant", "content": reply}
    answer = {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
    server.behave("wrong_schema", body=answer | {"usage": {"prompt_tokens": 5, "completion_tokens": 2}})


@pytest.fixture(scope="module")
def liar() -> Iterator[DetectorServer]:
    with detector_server() as server:
        yield server


def model(server: DetectorServer) -> dict[str, Any]:
    return {"kind": "vllm", "url": server.url, "model": "liar"}


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, liar: DetectorServer) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("hostile")
    limits = {"rate_limit_key": 0, "rate_limit_tenant": 0, "mapping_stage_timeout_ms": 60_000}
    async with open_door(folder, word_detectors(), generation=[model(liar)], **limits) as door:
        yield House(door, folder)


@pytest.fixture(scope="module")
async def anna(house: House) -> Person:
    return await house.person("anna", Scope.ASSESS, Scope.READ)


@given(labels=st.lists(LABELS, min_size=1, max_size=3, unique=True), lie=st.sampled_from(LIES), alone=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_over_http_no_label_leads_off_the_taxonomy_nor_shows_in_a_rationale(
    anna: Person, liar: DetectorServer, labels: Sequence[str], lie: str, alone: bool
) -> None:
    lying(liar, lie, labels[0])
    how: dict[str, Any] = {"strategy": "model-first", "include": ["rationale"]}
    asked = [{"vendor": "acme_codes", "label": label} for label in labels]
    if alone:
        answers = [await anna.told("POST", "/v1/map", json=asked[0] | how)]
        explain = Explainer(CATALOGUE, CATALOGUE.resolve_frameworks(()), usual=0.6)
        mapped = MappedLabel.model_validate_json(json.dumps(answers[0]))
        assert MARK not in (mapped.rationale or "")
        assert explain(mapped.model_copy(update={"label": "another"})).rationale == mapped.rationale
        return
    body = {"labels": asked, "frameworks": ["soc2", "gdpr"]} | how
    answer = await anna.told("POST", "/v1/map:batch", json=body)
    for each in answer["mappings"]:
        held(MappedLabel.model_validate_json(json.dumps(each)))
    assert MARK not in json.dumps([answer["provenance"], answer["version_info"]])


async def test_the_liar_is_asked_and_may_choose_among_the_options(anna: Person, liar: DetectorServer) -> None:
    liar.behave("good", forget=True)
    lying(liar, '"A"', "")
    body = {"vendor": "acme_codes", "label": f"credit card {MARK}", "strategy": "model-first", "include": ["rationale"]}
    mapped = await anna.told("POST", "/v1/map", json=body)
    assert liar.counted()["requests"] > 0
    assert mapped["canonical"] in CATALOGUE.labels or mapped["suggestions"]
    assert mapped["faults"] == ["model: not_calibrated"]


async def test_without_asking_there_is_no_rationale(anna: Person) -> None:
    mapped = await anna.told("POST", "/v1/map", json={"vendor": "presidio", "label": "PERSON"})
    assert mapped["rationale"] is None
    wrong = {"vendor": "presidio", "label": "PERSON", "include": ["everything"]}
    await anna.told("POST", "/v1/map", 400, json=wrong)


async def test_a_record_carries_rationales_where_they_are_asked_for(house: House) -> None:
    anna = await house.person("records")
    asked = {"content": "anna@example.com", "frameworks": ["soc2"], "include": ["rationale"]}
    record = await anna.told("POST", "/v1/assessments", 206, json=asked)
    assert record["mapping"]["labels"]
    for each in record["mapping"]["labels"]:
        assert each["canonical"] in each["rationale"]
    kept = await anna.told("GET", f"/v1/assessments/{record['id']}")
    assert kept["mapping"]["labels"] == record["mapping"]["labels"]
    assert all(each["rationale"] is None for each in (await anna.assessed("soc2"))["mapping"]["labels"])


@given(labels=st.lists(LABELS, min_size=20, max_size=60, unique=True), lie=st.sampled_from(LIES))
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_on_the_command_line_no_label_leads_off_the_taxonomy_nor_shows_in_a_rationale(
    tmp_path_factory: pytest.TempPathFactory, liar: DetectorServer, labels: Sequence[str], lie: str
) -> None:
    lying(liar, lie, labels[0])
    lines = "\n".join(json.dumps({"vendor": "acme_codes", "label": label}) for label in labels)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LLAMA_MAPPER_GENERATION", json.dumps([model(liar)]))
        patched.setenv("LLAMA_MAPPER_MAPPING_STAGE_TIMEOUT_MS", "60000")
        data_dir = tmp_path_factory.mktemp("hostile")
        arguments = ("--rationale", "--framework", "soc2", "--framework", "gdpr", "--strategy", "model-first")
        run = told("map", "-", *arguments, "--data-dir", data_dir, stdin=lines)
    answers = run.stdout.decode().rstrip("\n").split("\n")  # a label may have other ends of lines
    assert len(answers) == len(labels)
    for each in answers:
        held(MappedLabel.model_validate_json(each))
    assert MARK.encode() not in run.stderr


def test_a_rationale_goes_into_files_of_labels(tmp_path: Path) -> None:
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"vendor": "presidio", "label": "PERSON"}\n')
    pyarrow = pytest.importorskip("pyarrow.parquet")
    arguments = ("--framework", "soc2", "--data-dir", tmp_path / "data")
    told("map", labels, "--rationale", "--output", tmp_path / "with.parquet", *arguments)
    told("map", labels, "--output", tmp_path / "without.parquet", *arguments)
    (why,) = pyarrow.read_table(tmp_path / "with.parquet").column("rationale").to_pylist()
    assert "pii.personal_identifiers" in why
    assert "rationale" not in pyarrow.read_table(tmp_path / "without.parquet").column_names
