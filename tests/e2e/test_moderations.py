"""OpenAI's own client works against `/v1/moderations` unchanged."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest
from openai.types import ModerationImageURLInputParam, ModerationTextInputParam

from tests.support.servers import Server


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused-without-keys", max_retries=0) as opened:
        yield opened


def test_a_threat_is_flagged_as_violence(client: openai.OpenAI) -> None:
    moderation = client.moderations.create(input="I am going to kill you tonight, I know where you live.")
    [result] = moderation.results
    assert result.flagged
    assert result.categories.violence
    assert result.category_scores.violence >= 0.5
    assert moderation.id.startswith("modr-")


def test_an_insult_is_flagged_as_harassment(client: openai.OpenAI) -> None:
    [result] = client.moderations.create(input="You are a worthless, stupid idiot.").results
    assert result.flagged
    assert result.categories.harassment


def test_harmless_text_is_not_flagged(client: openai.OpenAI) -> None:
    [result] = client.moderations.create(input="Could you send me the recipe for the bread?").results
    assert not result.flagged
    assert not any(result.categories.model_dump().values())


def test_many_inputs_give_one_result_each_in_order(client: openai.OpenAI) -> None:
    texts = ["Lovely weather today.", "I will stab you.", "See you at the meeting."]
    results = client.moderations.create(input=texts, model="omni-moderation-latest").results
    assert [result.flagged for result in results] == [False, True, False]


def test_text_parts_are_judged(client: openai.OpenAI) -> None:
    part: ModerationTextInputParam = {"type": "text", "text": "I will stab you."}
    [result] = client.moderations.create(input=[part]).results
    assert result.flagged
    assert result.category_applied_input_types.violence == ["text"]


def test_an_image_is_refused_as_a_bad_request(client: openai.OpenAI) -> None:
    image: ModerationImageURLInputParam = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    with pytest.raises(openai.BadRequestError) as refusal:
        client.moderations.create(input=[image])
    assert refusal.value.status_code == 400
