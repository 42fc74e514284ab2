"""A question as the text that a model was taught to answer, where the server does not apply a chat template. ADR 69."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from llama_mapper.domain.mapping.generation.ports import Prompt


class ChatTemplate(StrEnum):
    """How a family of models marks who speaks."""

    LLAMA3 = "llama3"
    PHI3 = "phi3"
    CHATML = "chatml"
    """SmolLM2, Qwen and others."""


def rendered(prompt: Prompt, template: ChatTemplate) -> str:
    """The conversation up to where the model begins to speak, without a token that the server puts before every text.

    Nothing in the prompt can be a mark of the template: a `<|` in it, which all these marks begin with, gets a space
    between. An empty `system` is left out.
    """
    turn, begin = _TURNS[template]
    said = [("system", prompt.system), ("user", prompt.user)] if prompt.system else [("user", prompt.user)]
    return "".join([turn(role, text.replace("<|", "< |")) for role, text in said]) + begin


def _llama3(role: str, text: str) -> str:
    return f"<|start_header_id|>{role}<|end_header_id|>\n\n{text.strip()}<|eot_id|>"


def _phi3(role: str, text: str) -> str:
    return f"<|{role}|>\n{text}<|end|>\n"


def _chatml(role: str, text: str) -> str:
    return f"<|im_start|>{role}\n{text}<|im_end|>\n"


_TURNS: dict[ChatTemplate, tuple[Callable[[str, str], str], str]] = {
    ChatTemplate.LLAMA3: (_llama3, "<|start_header_id|>assistant<|end_header_id|>\n\n"),
    ChatTemplate.PHI3: (_phi3, "<|assistant|>\n"),
    ChatTemplate.CHATML: (_chatml, "<|im_start|>assistant\n"),
}
