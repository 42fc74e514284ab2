"""Trying a detector: does it live, and does it answer in its protocol?"""

from __future__ import annotations

import asyncio
from time import monotonic

from llama_mapper.domain.contracts.detectors import ProbeReport
from llama_mapper.domain.contracts.orchestration import DetectorFault, Message, OrchestrationRequest, Role
from llama_mapper.domain.orchestration.conversation import text_of
from llama_mapper.domain.orchestration.findings import FindingReader, MalformedAnswer
from llama_mapper.domain.orchestration.ports import Inquiry, NoAnswer, ProbedDetector

SAMPLE = (
    Message(role=Role.DOCUMENT, content="The meeting starts at nine."),
    Message(role=Role.USER, content="When does the meeting start, and whom do I tell that I am late?"),
    Message(role=Role.ASSISTANT, content="It starts at nine. Please write to anna@example.com if you are late."),
)
"""Harmless, nobody's, with something that a detector of personal data can find, and with all that any protocol needs:
a document, a prompt and an answer."""

TRIAL_LIMIT_S = 10.0
_SHOWN = 64
_NOBODY = "trial"


async def try_detector(detector: ProbedDetector, reader: FindingReader, limit_s: float = TRIAL_LIMIT_S) -> ProbeReport:
    """What became of a sign of life and of the sample; never raises for anything that the detector does.

    Both together take at most `limit_s` seconds. A label that nobody knows does not fail the trial.
    """
    alive_ms, began = None, monotonic()
    text, turns = text_of(OrchestrationRequest(messages=SAMPLE))
    try:
        async with asyncio.timeout(limit_s):
            await detector.probe()
            alive_ms, asked = _since(began), monotonic()
            answer = await detector.inspect(Inquiry(text, turns, began + limit_s))
    except TimeoutError:
        return _failed(alive_ms, "DETECTOR_TIMEOUT", f"no answer within {limit_s:g} s")
    except NoAnswer as error:
        return _failed(alive_ms, error.code, str(error)[:512])
    except Exception as error:
        return _failed(alive_ms, "DETECTOR_ERROR", type(error).__name__[:512])
    try:
        findings = reader.read(_NOBODY, text, turns, detector.descriptor, {}, answer).findings
    except MalformedAnswer as error:
        return _failed(alive_ms, "MALFORMED_FINDING", str(error)[:512])
    return ProbeReport(
        passed=True,
        alive_ms=alive_ms,
        inspection_ms=_since(asked),
        labels=tuple(dict.fromkeys(each.label for each in findings))[:_SHOWN],
        unknown_labels=tuple(dict.fromkeys(each.label for each in findings if each.category is None))[:_SHOWN],
    )


def _since(began: float) -> float:
    return (monotonic() - began) * 1e3


def _failed(alive_ms: float | None, code: str, message: str) -> ProbeReport:
    return ProbeReport(passed=False, alive_ms=alive_ms, fault=DetectorFault(code=code, message=message))
