"""`TritonPythonModel` for text generation: the tensors and the meaning of Triton's vLLM backend, by transformers.

`config.pbtxt` gives `weights`, a folder that `from_pretrained` takes; `multi_lora.json` beside this model's version
names LoRA adapters by path. Requests are answered by one thread that writes several together.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from triton_models import asked
from triton_models.decoding import Decoder, Row
from triton_models.grammar import Grammars
from triton_models.queueing import Writer
from triton_models.text import Pieces

_FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL


class TritonPythonModel:
    """What tritonserver loads; see the module."""

    @staticmethod
    def auto_complete_config(config: Any) -> Any:
        """Declare the tensors, so that they are written down once for all models."""
        present = config.as_dict()
        inputs = {each["name"] for each in present["input"]}
        outputs = {each["name"] for each in present["output"]}
        for name, kind, optional in asked.INPUTS:
            if name not in inputs:
                config.add_input({"name": name, "data_type": kind, "dims": [1], "optional": optional})
        for name, kind, size in asked.OUTPUTS:
            if name not in outputs:
                config.add_output({"name": name, "data_type": kind, "dims": [size]})
        config.set_model_transaction_policy({"decoupled": True})
        config.set_max_batch_size(0)  # together is what Writer puts together
        return config

    def initialize(self, args: dict[str, str]) -> None:
        """Load weights and adapters; whatever is wrong with them fails the load."""
        config = json.loads(args["model_config"])
        given = {name: value["string_value"] for name, value in config["parameters"].items()}
        folder = Path(given["weights"])
        if not folder.is_dir():
            raise pb_utils.TritonModelException(f"no weights at {folder}: mount them, or name them in config.pbtxt")
        import torch  # takes seconds, and is no use without weights
        from transformers import AutoModelForCausalLM, AutoTokenizer

        if "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(int(given.get("threads", os.cpu_count() or 1)))
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, given.get("dtype", "float32")))
        model = model.to(device).eval()
        stops = _as_list(model.generation_config.eos_token_id)
        self._limit = min(int(given.get("max_model_len", 1 << 30)), model.config.max_position_embeddings)
        self._grammars = Grammars(self._tokenizer, model.config.vocab_size, stops)
        self._model, self._adapters = _adapted(model, Path(args["model_repository"]) / args["model_version"])
        self._writer = Writer(
            Decoder(self._model, self._tokenizer, stops, self._selected),
            most_together=int(given.get("max_num_seqs", 8)),
            most_waiting=int(given.get("max_queue_size", 256)),
            gather_s=int(given.get("gather_microseconds", 2000)) / 1e6,
        )

    def execute(self, requests: list[Any]) -> None:
        """Hand requests to the writing thread; answers come from there."""
        for request in requests:
            answer = Answer(request.get_response_sender(), self._tokenizer)
            try:
                self._writer.add(self._row(request, answer))
            except (ValueError, TypeError, RecursionError) as error:
                answer.failed(f"Invalid request: {error}", code=pb_utils.TritonError.INVALID_ARG)

    def finalize(self) -> None:
        """Write what waits, then end."""
        self._writer.close()

    def _row(self, request: Any, answer: Answer) -> Row:
        def value_of(name: str) -> Any:
            tensor = pb_utils.get_input_tensor_by_name(request, name)
            return None if tensor is None else tensor.as_numpy().reshape(-1)[0]

        question = asked.read(value_of, request.parameters())
        sampling = question.sampling
        if sampling.lora_name is not None and sampling.lora_name not in self._adapters:
            raise ValueError(f"LoRA is not supported, we currently support {sorted(self._adapters)}")
        prompt = self._tokenizer(question.text).input_ids
        if not prompt or len(prompt) + 1 > self._limit:
            raise ValueError(f"the prompt has {len(prompt)} tokens, and the maximum model length is {self._limit}")
        answer.began(question, len(prompt))
        bound = None if sampling.schema is None else self._grammars.bound(sampling.schema, sampling.any_whitespace)
        until = time.monotonic() + request.timeout() / 1e6 if request.timeout() else None
        return Row(prompt, sampling, answer, until, bound, most=min(sampling.max_tokens, self._limit - len(prompt)))

    def _selected(self, adapter: str | None) -> AbstractContextManager[Any]:
        if adapter is not None:
            self._model.set_adapter(adapter)
            return nullcontext()
        return self._model.disable_adapter() if self._adapters else nullcontext()


class Answer:
    """Sends what is written for one request, whole or piece by piece; it answers once, whatever comes after."""

    def __init__(self, sender: Any, tokenizer: Any) -> None:
        self._sender, self._tokenizer, self._done = sender, tokenizer, False
        self._asked: asked.Asked | None = None
        self._prompt_tokens = self._told_tokens = self._told_likely = 0
        self._pieces = Pieces(tokenizer)

    def began(self, question: asked.Asked, prompt_tokens: int) -> None:
        """What was asked, once it is read."""
        self._asked, self._prompt_tokens = question, prompt_tokens

    def gone(self) -> bool:
        """Whether the client cancelled."""
        return bool(self._sender.is_cancelled())

    def wrote(self, row: Row) -> None:
        """Send the new text, if it is asked for and whole characters are there."""
        if self._asked is not None and self._asked.stream and (piece := self._pieces.more(row.tokens)):
            self._sender.send(self._response(row, piece, "None"))

    def ended(self, row: Row, reason: str) -> None:
        """Send the rest, or all."""
        question = self._asked
        if question is None or self._done:
            return
        text = self._pieces.rest(row.tokens)
        self._done = True
        self._sender.send(
            self._response(row, question.text + text if question.prepends_input else text, reason), flags=_FINAL
        )

    def failed(self, message: str, *, unavailable: bool = False, code: int | None = None) -> None:
        """Say that there is no answer, unless there was."""
        if self._done:
            return
        self._done = True
        errors = pb_utils.TritonError
        chosen = code if code is not None else errors.UNAVAILABLE if unavailable else errors.INTERNAL
        self._sender.send(pb_utils.InferenceResponse(error=errors(message, chosen)), flags=_FINAL)

    def _response(self, row: Row, text: str, finish: str) -> Any:
        told = self._asked.told if self._asked else frozenset()
        tokens, likely = row.tokens[self._told_tokens :], row.likely[self._told_likely :]
        self._told_tokens, self._told_likely = len(row.tokens), len(row.likely)
        wanted = row.sampling.logprobs is not None
        values = {
            "text_output": np.array([text.encode()], dtype=object),
            "finish_reason": np.array([finish.encode()], dtype=object),
            "cumulative_logprob": np.array([row.log_probability if wanted else None], dtype=np.float32),
            "logprobs": np.array([json.dumps(likely if wanted else None).encode()], dtype=object),
            "num_input_tokens": np.array([self._prompt_tokens], dtype=np.uint32),
            "num_output_tokens": np.array([len(tokens)], dtype=np.uint32),
        }
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, value) for name, value in values.items() if name == "text_output" or name in told]
        )


def _adapted(model: Any, version: Path) -> tuple[Any, frozenset[str]]:
    """The model with the adapters that `multi_lora.json` names, and their names."""
    path = version / "multi_lora.json"
    named: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    if not named:
        return model, frozenset()
    from peft import PeftModel

    (first, folder), *others = named.items()
    adapted = PeftModel.from_pretrained(model, folder, adapter_name=first)
    for name, folder in others:
        adapted.load_adapter(folder, adapter_name=name)
    return adapted.eval(), frozenset(named)


def _as_list(ids: int | list[int] | None) -> list[int]:
    return [] if ids is None else [ids] if isinstance(ids, int) else list(ids)
