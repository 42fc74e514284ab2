"""Insult, profanity, harassment and hate, told from look-alikes, in three languages."""

from __future__ import annotations

import pytest

from llama_mapper.adapters.orchestration.scanners.scanner import TextScanner

from .flagging import flagged, spans

FOUND = [
    ("INSULT", "You are an idiot"),
    ("INSULT", "shut up, loser"),
    ("INSULT", "Du bist ein Vollidiot"),
    ("INSULT", "Halt die Fresse"),
    ("INSULT", "Eres un imbécil"),
    ("PROFANITY", "what the fuck"),
    ("PROFANITY", "so eine Scheiße"),
    ("PROFANITY", "hijo de puta"),
    ("HARASSMENT", "kill yourself"),
    ("HARASSMENT", "Nobody likes you and I hope you die"),
    ("HARASSMENT", "Geh sterben"),
    ("HARASSMENT", "muérete"),
    ("IDENTITY_ATTACK", "all immigrants are criminals"),
    ("IDENTITY_ATTACK", "The Muslims should be deported"),
    ("IDENTITY_ATTACK", "go back to your country"),
    ("IDENTITY_ATTACK", "Ausländer raus!"),
    ("IDENTITY_ATTACK", "Alle Flüchtlinge sind kriminell"),
    ("IDENTITY_ATTACK", "odio a los moros"),
    ("DEHUMANISATION", "Jews are vermin"),
    ("DEHUMANISATION", "Die Juden sind Ungeziefer"),
    ("DEHUMANISATION", "los inmigrantes son ratas"),
    ("HATE_THREAT", "gay people should be exterminated"),
    ("HATE_THREAT", "Alle Muslime sollten vergast werden"),
    ("HATE_THREAT", "todos los gitanos deberían morir"),
]

CLEAN = [
    "That was a stupid mistake",
    "You are not an idiot",
    "I am such an idiot",
    "You fool around a lot",
    "It is wrong to say that all Muslims are terrorists",
    "He called me a faggot at school",
    "Nobody should say that immigrants are vermin",
    "Immigrants are welcome here",
    "Black people are disproportionately arrested",
    "Refugees should be given shelter",
    "Gay men should be tested yearly",
    "Trans women are women",
    "The kitchen is infested with rats",
    "Don't go back to your country house without the keys",
    "Ausländer sind willkommen",
    "Der Hund ist dumm",
    "Halt die Tür auf",
    "Es ist falsch zu sagen, alle Ausländer sind kriminell",
    "La película es mala",
    "Los inmigrantes son bienvenidos",
    "Es falso que los inmigrantes son ratas",
]


@pytest.mark.parametrize(("label", "text"), FOUND)
def test_abuse_is_found_as_what_it_is(scanners: dict[str, TextScanner], label: str, text: str) -> None:
    assert label in flagged(scanners["abuse"], text)


@pytest.mark.parametrize("text", CLEAN)
def test_look_alikes_neutral_mentions_and_counter_speech_are_not_flagged(
    scanners: dict[str, TextScanner], text: str
) -> None:
    assert not flagged(scanners["abuse"], text)


def test_a_span_points_at_the_original_words_with_their_accents(scanners: dict[str, TextScanner]) -> None:
    text = "¡Señor!  ¡Eres   un   IMBÉCIL, Núñez!"
    assert spans(scanners["abuse"], text, "INSULT") == ["Eres   un   IMBÉCIL"]


def test_a_toxic_sentence_is_found_in_a_long_text_and_pointed_at(scanners: dict[str, TextScanner]) -> None:
    calm = "The committee met on Tuesday and approved the budget. " * 200
    text = f"{calm}You are a stupid, disgusting idiot. {calm}"
    assert spans(scanners["toxicity"], text, "1") == ["You are a stupid, disgusting idiot."]


def test_calm_text_is_not_toxic(scanners: dict[str, TextScanner]) -> None:
    assert not flagged(scanners["toxicity"], "Thank you for the quick answer, it helped a lot.")
