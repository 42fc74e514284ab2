"""Qwen3Guard (generative): `Safety: Unsafe`, then `Categories: Violent, PII`, and `Refusal: No` for an answer.

`Controversial` means that it depends on the policy: its findings score one half.
"""

from __future__ import annotations

import re

from llama_mapper.adapters.orchestration.remote.answers import malformed
from llama_mapper.adapters.orchestration.remote.guards.completion import Family, Judgement
from llama_mapper.domain.orchestration.ports import RawFinding

CATEGORIES = (
    "Violent",
    "Non-violent Illegal Acts",
    "Sexual Content or Sexual Acts",
    "PII",
    "Suicide & Self-Harm",
    "Unethical Acts",
    "Politically Sensitive Topics",
    "Copyright Violation",
    "Jailbreak",
)
_ONE = "|".join(map(re.escape, (*CATEGORIES, "None")))
_FORM = re.compile(
    rf"Safety: (?P<safety>Safe|Unsafe|Controversial)\s*\n"
    rf"Categories: (?P<categories>(?:{_ONE})(?:,\s*(?:{_ONE}))*)"
    r"(?:\s*\nRefusal: (?:Yes|No))?"
)
_CONTROVERSIAL = 0.5


def read(judgement: Judgement, risk: str) -> tuple[RawFinding, ...]:
    """A finding for each category; the safety level itself where no category is named."""
    form = _FORM.fullmatch(judgement.text)
    if form is None:
        raise malformed("it is not a judgement of Qwen3Guard")
    safety = form["safety"]
    if safety == "Safe":
        return ()
    score = _CONTROVERSIAL
    if safety == "Unsafe":
        told = judgement.probability({"unsafe"}, {"safe", "controversial"})
        score = 1.0 if told is None else told
    named = dict.fromkeys(each.strip() for each in form["categories"].split(","))
    labels = [each for each in named if each != "None"] or [safety]
    return tuple([RawFinding(label, score) for label in labels])


QWEN3GUARD = Family(max_tokens=96, read=read)
