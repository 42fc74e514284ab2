"""A service that knows the published FMS document and not us plugs in with a definition and nothing else."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import pytest
import pytest_asyncio

from llama_mapper.adapters.orchestration.remote.factory import remote_detector
from llama_mapper.domain.contracts.assessment import AssessmentRequest
from llama_mapper.domain.contracts.detectors import DetectorDefinition
from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.contracts.orchestration import Message, OrchestrationRequest, Role, VerdictAction
from llama_mapper.domain.orchestration.conversation import text_of
from llama_mapper.domain.orchestration.ports import DetectorFailed, Inquiry, RawFinding
from llama_mapper.domain.orchestration.windows import windows_of
from llama_mapper.entrypoints.containers.root import running_monolith
from llama_mapper.entrypoints.containers.running import Running
from llama_mapper.entrypoints.settings import Settings
from tests.support.servers import free_port

_PROGRAM = Path(__file__).parents[2] / "support" / "fms_service.py"
_TURNS = (
    (Role.DOCUMENT, "The race is held every two years."),
    (Role.USER, "When is it?"),
    (Role.ASSISTANT, "every two years"),
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([sys.executable, str(_PROGRAM), str(port)], cwd=Path(__file__).parents[3])
    try:
        until = time.monotonic() + 60
        while True:
            try:
                httpx2.get(f"{address}/health", trust_env=False)
                break
            except httpx2.HTTPError:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def _definition(url: str, endpoint: str = "contents", **protocol: Any) -> DetectorDefinition:
    return DetectorDefinition.model_validate(
        {
            "name": f"fms-{endpoint.replace('/', '-')}",
            "vendor": "fms_dummy",
            "vendor_version": "1",
            "url": url,
            "timeout_ms": 20_000,
            "categories": ("pii.personal_identifiers",),
            "vocabulary": {"EmailAddress": "pii.personal_identifiers.email"},
            "protocol": {"kind": "fms", "detector_id": "dummy-en-pii-v1", "endpoint": endpoint} | protocol,
        },
        strict=False,
    )


def _conversation(*turns: tuple[Role, str]) -> Inquiry:
    messages = tuple(Message(role=role, content=content) for role, content in turns)
    return Inquiry(*text_of(OrchestrationRequest(messages=messages, tenant_id="t1")))


@pytest.mark.parametrize(
    ("endpoint", "inquiry", "found"),
    [
        ("contents", Inquiry("🙂 mail a@b.c"), (RawFinding("EmailAddress", 0.99, 7, 12),)),
        ("contents", Inquiry("nothing"), ()),
        ("chat", Inquiry("a@b.c"), (RawFinding("mails_1", 0.68),)),
        (
            "chat",
            _conversation(*_TURNS, (Role.TOOL, "a@b.c"), (Role.DEVELOPER, "d@e.f")),
            (RawFinding("mails_2", 0.68),),
        ),
        ("context/doc", _conversation(*_TURNS), (RawFinding("relevant", 0.9),)),
        ("generation", _conversation(*_TURNS), (RawFinding("own", 0.5),)),
    ],
)
async def test_every_endpoint_is_asked_as_the_document_says(
    url: str, client: aiohttp.ClientSession, endpoint: str, inquiry: Inquiry, found: tuple[RawFinding, ...]
) -> None:
    detector = remote_detector(_definition(url, endpoint, context_type="document"), client)
    await detector.probe()
    assert (await detector.inspect(inquiry)).findings == found


async def test_the_label_that_says_nothing_was_found_is_no_finding(url: str, client: aiohttp.ClientSession) -> None:
    definition = _definition(url, "context/doc", context_type="chunks", clean_labels=("relevant",))
    assert (await remote_detector(definition, client).inspect(_conversation(*_TURNS))).findings == ()


async def test_the_label_may_be_the_type(url: str, client: aiohttp.ClientSession) -> None:
    definition = _definition(url, label_field="detection_type")
    (found,) = (await remote_detector(definition, client).inspect(Inquiry("a@b.c"))).findings
    assert found.label == "pii"


@pytest.mark.parametrize("endpoint", ["context/doc", "generation"])
@pytest.mark.parametrize("inquiry", [Inquiry("a@b.c"), _conversation((Role.USER, "a@b.c"))])
async def test_what_lacks_a_document_or_an_answer_is_not_asked(
    url: str, client: aiohttp.ClientSession, endpoint: str, inquiry: Inquiry
) -> None:
    with pytest.raises(DetectorFailed) as caught:
        await remote_detector(_definition(url, endpoint), client).inspect(inquiry)
    assert caught.value.code == "DETECTOR_NOT_APPLICABLE"


async def test_long_texts_go_in_windows(url: str, client: aiohttp.ClientSession) -> None:
    text = "🙂 " * 300 + "a@b.c " + "x " * 300 + "d@e.f"
    definition = _definition(url).model_copy(update={"window_chars": 100, "window_overlap_chars": 20})
    answer = await remote_detector(definition, client).inspect(Inquiry(text))
    assert [text[one.start : one.end] for one in answer.findings] == ["a@b.c", "d@e.f"]
    assert answer.notes["windows"] == len(windows_of(text, 100, 20))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    from llama_mapper.adapters.orchestration.remote.http_detector import open_detector_client

    settings = Settings.load(data_dir=tmp_path_factory.mktemp("fms"), detector_workers=0)
    opened = open_detector_client()
    detectors = [
        remote_detector(_definition(url), opened),
        remote_detector(_definition(url, "chat").model_copy(update={"categories": ("content.violence",)}), opened),
    ]
    async with running_monolith(settings, detectors) as started:
        yield started
    await opened.close()


async def test_a_whole_assessment_with_declared_and_unknown_labels(running: Running) -> None:
    assert running.assessments is not None
    assert running.mapping is not None
    request = AssessmentRequest(content="mail anna@example.com", tenant_id="acme")
    assessment = (await running.assessments.assess(request)).assessment
    results = {result.detector: result for result in assessment.orchestration.detector_results}
    (declared,) = results["fms-contents"].findings
    assert (declared.declared, declared.category) == ("pii.personal_identifiers.email", "pii.personal_identifiers")
    assert declared.digest is not None
    (unknown,) = results["fms-chat"].findings
    assert (unknown.label, unknown.category) == ("mails_1", None)
    assert assessment.verdict.action is not VerdictAction.ALLOW
    assert assessment.mapping.taxonomy == ("pii.personal_identifiers.email",)
    labels = {mapped.label: mapped for mapped in assessment.mapping.labels}
    assert labels["mails_1"].stage is MappingStage.LEXICAL
    assert labels["mails_1"].canonical == "pii.personal_identifiers.email"
    assert (await running.mapping.reviews("acme")).items == ()
    assert "anna@example.com" not in assessment.model_dump_json()
