"""What Triton's errors mean.

A stream tells errors in words alone, and the codes of unary calls are coarse, so words are looked at; none is passed
on. (With the header `triton_grpc_error` a stream would tell codes; tritonserver 2.51 then crashes sooner or later.)
"""

from __future__ import annotations

import re

from llama_mapper.domain.mapping.generation.ports import GenerationFault

# The first that is found holds. Words of Triton's core, its Python and vLLM backends, vLLM, PyTorch and gRPC.
_BY_WORDS = tuple(
    (re.compile(words), fault)
    for words, fault in (
        (r"ssl handshake failed|certificate_verify_failed|alert unknown ca", GenerationFault.TLS_FAILED),
        (r"\blora\b", GenerationFault.ADAPTER_NOT_FOUND),
        (r"timeout expired|deadline exceeded", GenerationFault.TIMEOUT),
        (r"out of memory|can't allocate memory|bad_alloc|memoryerror", GenerationFault.OVERLOADED),
        (r"maximum queue size|max_queue_size", GenerationFault.OVERLOADED),
        (r"unknown model|no version is available|has no available versions", GenerationFault.MODEL_NOT_LOADED),
        (r"is not found|is not ready|not at ready state", GenerationFault.MODEL_NOT_LOADED),
        (r"sent message larger", GenerationFault.REFUSED),
        (r"received message larger", GenerationFault.INVALID_ANSWER),
        (r"maximum model length|maximum context length|'lora_name'", GenerationFault.REFUSED),
        (r"invalid request|\bgrammar\b|\bschema\b|structured.output", GenerationFault.REFUSED),
        (r"stub process|unhealthy", GenerationFault.UNAVAILABLE),
    )
)
_BY_CODE = {
    "DEADLINE_EXCEEDED": GenerationFault.TIMEOUT,
    "RESOURCE_EXHAUSTED": GenerationFault.OVERLOADED,
    "NOT_FOUND": GenerationFault.MODEL_NOT_LOADED,
    "INVALID_ARGUMENT": GenerationFault.REFUSED,
    "UNIMPLEMENTED": GenerationFault.REFUSED,
    "OUT_OF_RANGE": GenerationFault.REFUSED,
}


def fault_of(code: str, message: str, adapter: str | None = None) -> GenerationFault:
    """What a gRPC status (`StatusCode.UNAVAILABLE`, or only its last part) with a message means for a request.

    An error that nothing here knows is `UNAVAILABLE`: the model, or the way to it, broke.
    """
    said = message.lower()
    for words, fault in _BY_WORDS:
        if words.search(said) and (adapter is not None or fault is not GenerationFault.ADAPTER_NOT_FOUND):
            return fault
    return _BY_CODE.get(code.rpartition(".")[2], GenerationFault.UNAVAILABLE)
