"""One GGUF model behind llama.cpp's own HTTP server, as a program: `python -m …gguf_worker`.

The first line of its standard input is JSON: `path`, `key`, `context`, `parallel`, `threads`, `adapters` (paths). It
answers with one line, `{"url": …}` once the model is loaded or `{"problem": …}`, and ends when its input does: with
whoever started it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def serve(told: dict[str, Any]) -> Any:
    """A server on a free port of the loopback interface, which answers to `key` alone."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = told["path"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [told["key"]]
    params.ui = False
    params.endpoint_slots = False  # it would show prompts
    params.n_parallel = told["parallel"]
    params.n_ctx = told["context"] * told["parallel"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = told["threads"]
    params.cache_ram_mib = 0  # finished prompts are not kept
    adapters = []
    for path in told["adapters"]:
        adapter = xllamacpp.CommonAdapterLoraInfo(path, 0.0)
        adapters.append(adapter)
    if adapters:
        params.lora_adapters = adapters
    return xllamacpp.Server(params)


def main() -> None:
    """Load, tell where, and stay until the input ends."""
    # Whatever the library prints must not be taken for our one line.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        server = serve(json.loads(sys.stdin.readline()))
        told = {"url": server.listening_address}
    except ImportError:
        told = {"problem": "the package xllamacpp is not installed: install 'llama-mapper[gguf]'"}
    except Exception as error:  # whatever keeps the model from loading is told to whoever started this
        told = {"problem": f"the model cannot be loaded ({type(error).__name__})"}
    answer.write(json.dumps(told) + "\n")
    answer.flush()
    if "url" in told:
        sys.stdin.read()
    os._exit(0)  # the library's threads would be waited for


if __name__ == "__main__":
    main()
