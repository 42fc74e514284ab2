"""Llama Guard 3 and 4: `safe`, or `unsafe` and on the next line the hazards by number, `S1,S9`.

The server's chat template brings the hazard list. All hazards are judged at once, so that all share one score.
"""

from __future__ import annotations

import re

from llama_mapper.adapters.orchestration.remote.answers import malformed
from llama_mapper.adapters.orchestration.remote.guards.completion import Family, Judgement
from llama_mapper.domain.orchestration.ports import RawFinding

_FORM = re.compile(r"safe|unsafe(?:\s*\n\s*(S[1-9][0-9]?(?:\s*,\s*S[1-9][0-9]?)*))?")
_UNSAFE = "unsafe"


def read(judgement: Judgement, risk: str) -> tuple[RawFinding, ...]:
    """A finding for each hazard; `unsafe` itself where no hazard is named."""
    form = _FORM.fullmatch(judgement.text)
    if form is None:
        raise malformed("it is not a judgement of Llama Guard")
    if judgement.text == "safe":
        return ()
    told = judgement.probability({_UNSAFE}, {"safe"})
    score = 1.0 if told is None else told
    if form[1] is None:
        return (RawFinding(_UNSAFE, score),)
    hazards = dict.fromkeys(each.strip() for each in form[1].split(","))
    return tuple([RawFinding(hazard, score) for hazard in hazards])


LLAMA_GUARD = Family(max_tokens=96, read=read)
