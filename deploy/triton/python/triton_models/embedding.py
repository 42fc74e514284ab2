"""`TritonPythonModel` for sentence embeddings: `text` to a unit vector `embedding`, by mean pooling.

Triton batches dynamically: all requests of one execution go through the model together.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

_TOGETHER = 32


class TritonPythonModel:
    """What tritonserver loads; see the module."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the weights; whatever is wrong with them fails the load."""
        given = {name: value["string_value"] for name, value in json.loads(args["model_config"])["parameters"].items()}
        folder = Path(given["weights"])
        if not folder.is_dir():
            raise pb_utils.TritonModelException(f"no weights at {folder}: mount them, or name them in config.pbtxt")
        import torch  # takes seconds, and is no use without weights
        from transformers import AutoModel, AutoTokenizer

        if "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(int(given.get("threads", os.cpu_count() or 1)))
        self._limit = int(given.get("max_model_len", 256))
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        self._model.to("cuda" if torch.cuda.is_available() else "cpu")

    def execute(self, requests: list[Any]) -> list[Any]:
        """One answer a request, in order."""
        given = [pb_utils.get_input_tensor_by_name(request, "text").as_numpy() for request in requests]
        texts = [text.decode(errors="replace") for each in given for text in each.reshape(-1)]
        try:
            vectors = self._embedded(texts)
        except Exception as error:  # the requests must be answered
            text = "out of memory" if "memory" in str(error).lower() else type(error).__name__
            return [pb_utils.InferenceResponse(error=pb_utils.TritonError(text)) for _ in requests]
        answers, at = [], 0
        for each in given:
            rows = vectors[at : at + each.size]
            at += each.size
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("embedding", rows)]))
        return answers

    def _embedded(self, texts: list[str]) -> Any:
        """Unit vectors (texts, dimensions), float32; texts of like length go together, so that little is padding."""
        import torch

        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        vectors = np.empty((len(texts), self._model.config.hidden_size), dtype=np.float32)
        for first in range(0, len(order), _TOGETHER):
            places = order[first : first + _TOGETHER]
            tokens = self._tokenizer(
                [texts[at] for at in places],
                padding=True,
                truncation=True,
                max_length=self._limit,
                return_tensors="pt",
            ).to(self._model.device)
            with torch.inference_mode():
                states = self._model(**tokens).last_hidden_state
                weight = tokens["attention_mask"].unsqueeze(-1).float()
                pooled = (states * weight).sum(1) / weight.sum(1)
                vectors[places] = torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy()
        return vectors
