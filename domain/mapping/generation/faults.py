"""Faults of a model as errors, for those who are answered by raising."""

from __future__ import annotations

from llama_mapper.domain.kernel.errors import ErrorCode, ModelServingError
from llama_mapper.domain.mapping.generation.ports import GenerationFault

_CODES = {
    GenerationFault.TIMEOUT: ErrorCode.REQUEST_TIMEOUT,
    GenerationFault.INVALID_ANSWER: ErrorCode.UPSTREAM_INVALID_RESPONSE,
    GenerationFault.REFUSED: ErrorCode.INVALID_REQUEST,
}
_FOR_GOOD = frozenset({GenerationFault.REFUSED, GenerationFault.ADAPTER_NOT_FOUND, GenerationFault.MODEL_NOT_LOADED})


def serving_error(name: str, fault: GenerationFault, retry_after_s: float | None = None) -> ModelServingError:
    """The error that says which model failed and how: `vllm/llama3: timeout`. It quotes nothing."""
    return ModelServingError(f"{name}: {fault}", _CODES.get(fault), fault not in _FOR_GOOD, retry_after_s=retry_after_s)
