"""Granite Guardian 3: one risk at a time, by name, through the server's chat template.

Version 3.0 and 3.1 answer `Yes` or `No`, 3.2 adds `<confidence> High </confidence>`, 3.3 answers
`<score> yes </score>`, after an empty `<think>` element in some set-ups. The template of 3.0 to 3.2 takes the risk as
`risk_name`, that of 3.3 as `criteria_id`.
"""

from __future__ import annotations

import re
from typing import Any

from llama_mapper.adapters.orchestration.remote.answers import malformed
from llama_mapper.adapters.orchestration.remote.guards.completion import Family, Judgement
from llama_mapper.domain.orchestration.ports import RawFinding

_FORM = re.compile(
    r"(?P<plain>yes|no)(?:\s*<confidence>\s*(?P<confidence>high|low)\s*</confidence>)?"
    r"|(?:<think>\s*</think>\s*)?<score>\s*(?P<scored>yes|no)\s*</score>",
    re.IGNORECASE,
)
_OF_CONFIDENCE = {"high": 0.9, "low": 0.6}
"""Our reading of the verbal confidence, where the service tells no probabilities."""


def read(judgement: Judgement, risk: str) -> tuple[RawFinding, ...]:
    """A finding labelled with the risk where the answer is yes."""
    form = _FORM.fullmatch(judgement.text)
    if form is None:
        raise malformed("it is not a judgement of Granite Guardian")
    if (form["plain"] or form["scored"]).lower() == "no":
        return ()
    told = judgement.probability({"yes"}, {"no"})
    if told is None:
        told = _OF_CONFIDENCE[form["confidence"].lower()] if form["confidence"] else 1.0
    return (RawFinding(risk, told),)


def _kwargs(risk: str) -> dict[str, Any]:
    return {"guardian_config": {"risk_name": risk, "criteria_id": risk}, "think": False}


GRANITE_GUARDIAN = Family(
    max_tokens=32,
    read=read,
    default_risks=("harm",),
    # Those that judge one text. The others hold an answer against documents, a question or tools.
    known_risks=frozenset(
        {"harm", "social_bias", "jailbreak", "violence", "profanity", "unethical_behavior", "sexual_content"}
    ),
    kwargs=_kwargs,
)
