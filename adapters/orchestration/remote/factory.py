"""From a definition to the detector."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from llama_mapper.adapters.orchestration.remote.dialect import Dialect
from llama_mapper.adapters.orchestration.remote.http_detector import HttpDetector
from llama_mapper.domain.contracts.detectors import (
    ChatGuardDetector,
    DetectorDefinition,
    FmsDetector,
    HttpJsonDetector,
    OpenAiModerationDetector,
    PresidioDetector,
)
from llama_mapper.domain.orchestration.ports import ProbedDetector
from llama_mapper.domain.orchestration.windows import WindowedDetector

if TYPE_CHECKING:
    import aiohttp


def remote_detector(
    definition: DetectorDefinition,
    client: aiohttp.ClientSession,
    protect: Callable[[ProbedDetector], ProbedDetector] | None = None,
) -> ProbedDetector:
    """The detector that `definition` describes, asked over `client` (see `open_detector_client`).

    `protect` is put around the single call, inside the windows: each window is a call of its own to whatever limits,
    retries or counts them. Raises `CONFIGURATION_INVALID` for what cannot be asked so.
    """
    detector: ProbedDetector = HttpDetector(definition, dialect_of(definition), client)
    if protect is not None:
        detector = protect(detector)
    if definition.window_chars is None:
        return detector
    return WindowedDetector(detector, definition.window_chars, definition.window_overlap_chars)


def dialect_of(definition: DetectorDefinition) -> Dialect:
    """The protocol as the definition has it. Only the module of that protocol is imported."""
    match definition.protocol:
        case FmsDetector() as fms:
            from llama_mapper.adapters.orchestration.remote import fms_detector

            return fms_detector.dialect(definition, fms)
        case HttpJsonDetector() as http_json:
            from llama_mapper.adapters.orchestration.remote import http_json_detector

            return http_json_detector.dialect(definition, http_json)
        case PresidioDetector() as presidio:
            from llama_mapper.adapters.orchestration.remote import presidio_detector

            return presidio_detector.dialect(definition, presidio)
        case OpenAiModerationDetector() as moderation:
            from llama_mapper.adapters.orchestration.remote import openai_moderation_detector

            return openai_moderation_detector.dialect(definition, moderation)
        case ChatGuardDetector() as guard:
            from llama_mapper.adapters.orchestration.remote import chat_guard_detector

            return chat_guard_detector.dialect(definition, guard)
