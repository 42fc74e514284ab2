"""The redacted content, through the doors that give it, and nowhere else."""

from __future__ import annotations

from pathlib import Path

from llama_mapper import LlamaMapper
from tests.support.servers import Server

TEXT = "Please write to anna.schmidt@example.com today."
SHOWN = "Please write to [EMAIL_ADDRESS] today."
CONVERSATION = [
    {"role": "user", "content": "My mail is anna.schmidt@example.com"},
    {"role": "assistant", "content": "Noted: anna.schmidt@example.com, thank you."},
]


def test_an_assessment_answers_with_the_redacted_text_and_keeps_none(server: Server) -> None:
    with server.client() as client:
        answer = client.post("/v1/assessments", json={"content": TEXT}).json()
        assert answer["verdict"]["action"] == "redact"
        assert (answer["redacted"]["content"], answer["redacted"]["complete"]) == (SHOWN, True)
        kept = client.get(f"/v1/assessments/{answer['id']}").json()
    assert "redacted" not in kept
    assert kept == {name: value for name, value in answer.items() if name != "redacted"}


def test_every_message_is_redacted(server: Server) -> None:
    with server.client() as client:
        answer = client.post("/v1/orchestrate", json={"messages": CONVERSATION, "content_type": "chat"}).json()
    assert [message["content"] for message in answer["redacted"]["messages"]] == [
        "My mail is [EMAIL_ADDRESS]",
        "Noted: [EMAIL_ADDRESS], thank you.",
    ]
    found = [finding for result in answer["detector_results"] for finding in result["findings"]]
    assert {finding["message"] for finding in found if finding["span"]} == {0, 1}


def test_a_repeated_request_gets_the_redacted_text_again(server: Server) -> None:
    with server.client(headers={"Idempotency-Key": "redacted-twice"}) as client:
        first, again = [client.post("/v1/assessments", json={"content": TEXT}) for _ in range(2)]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.content == first.content
    assert again.json()["redacted"]["content"] == SHOWN


async def test_the_library_redacts_on_request(tmp_path: Path) -> None:
    async with LlamaMapper.open(data_dir=tmp_path, detectors=("presidio",)) as mapper:
        assessment = await mapper.assess(TEXT)
        redacted = mapper.redact(TEXT, assessment)
        assert redacted is not None
        assert redacted.content == SHOWN
        quiet = await mapper.assess("Nothing to see here.")
        assert mapper.redact("Nothing to see here.", quiet) is None
        spoken = await mapper.assess(CONVERSATION)
        said = mapper.redact(CONVERSATION, spoken)
        assert said is not None
        assert [message.content for message in said.messages] == [
            "My mail is [EMAIL_ADDRESS]",
            "Noted: [EMAIL_ADDRESS], thank you.",
        ]
