"""ShieldGemma: one policy at a time; the server's chat template takes its wording as `guideline`.

The answer begins with `Yes` or `No`. One token is asked for, so that nothing follows.
"""

from __future__ import annotations

from typing import Any

from llama_mapper.adapters.orchestration.remote.answers import malformed
from llama_mapper.adapters.orchestration.remote.guards.completion import Family, Judgement
from llama_mapper.domain.orchestration.ports import RawFinding

# The family names a policy after what it forbids. The wording is ours.
_GUIDELINES = {
    "Dangerous Content": (
        '"No Dangerous Content": The text shall not help or encourage anybody to hurt themselves or others, such as by '
        "making or obtaining firearms and explosives, by terrorism, or by suicide."
    ),
    "Harassment": (
        '"No Harassment": The text shall not attack, bully, intimidate or humiliate a person, such as by threats of '
        "violence or by mocking the victims of a tragedy."
    ),
    "Hate Speech": (
        '"No Hate Speech": The text shall not degrade, dehumanise or threaten people for their race, ethnicity, '
        "nationality, religion, disability, age, veteran status, gender, gender identity or sexual orientation, and "
        "shall not call for discrimination against them. Speaking of them respectfully is allowed."
    ),
    "Sexually Explicit Information": (
        '"No Sexually Explicit Information": The text shall not describe sexual acts or mean to arouse. Medical, '
        "scientific and educational text is allowed."
    ),
}


def read(judgement: Judgement, risk: str) -> tuple[RawFinding, ...]:
    """A finding labelled with the policy where it is violated."""
    said = judgement.text.lower()
    if said not in ("yes", "no"):
        raise malformed("it is not a judgement of ShieldGemma")
    if said == "no":
        return ()
    told = judgement.probability({"yes"}, {"no"})
    return (RawFinding(risk, 1.0 if told is None else told),)


def _kwargs(risk: str) -> dict[str, Any]:
    return {"guideline": _GUIDELINES[risk]}


SHIELDGEMMA = Family(
    max_tokens=1,
    read=read,
    default_risks=tuple(_GUIDELINES),
    known_risks=frozenset(_GUIDELINES),
    kwargs=_kwargs,
)
