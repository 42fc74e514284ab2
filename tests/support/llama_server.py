"""llama.cpp's server as a real process on loopback: what vLLM and TGI are to the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEY = "a key for tests"


@dataclass(frozen=True, slots=True)
class LlamaServer:
    """Where it answers, to whom, and its process."""

    url: str
    key: str
    process: subprocess.Popen[bytes]


@contextmanager
def llama_server(model: Path, adapters: Sequence[Path] = (), *, parallel: int = 2) -> Iterator[LlamaServer]:
    """The model of a GGUF file, loaded."""
    told = {"path": str(model), "key": KEY, "context": 8192, "parallel": parallel, "threads": 1}
    process = subprocess.Popen(
        [sys.executable, "-m", "llama_mapper.adapters.mapping.generation.gguf_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        try:
            process.stdin.write(json.dumps({**told, "adapters": [str(path) for path in adapters]}).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert "url" in answer, answer
            yield LlamaServer(answer["url"], KEY, process)
        finally:
            process.kill()
