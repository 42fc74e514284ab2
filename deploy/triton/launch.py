"""Starts NVIDIA's tritonserver from the nvidia-pytriton wheel, on this machine's CPU, until Ctrl-C: `make triton`.

Copies the model repository into a folder of the run, fills in where the weights are, and puts the wheel's Python
backend together there. Nothing is fetched and the installed wheel is not changed. For a GPU host see README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOOPBACK = "127.0.0.1"
# What stands for each model where there are no real weights: the folder's name, and how its conversations are written.
STAND_INS = {
    "smollm2": {"llama3_mapper": ("smollm2", "chatml"), "phi3_analyst": ("smollm2", "chatml")},
    "tiny": {"llama3_mapper": ("tiny-llama", "llama3"), "phi3_analyst": ("tiny-phi3", "phi3")},
    "own": {},
}
TRY = """curl -s http://{address}/v2/models/llama3_mapper/generate -d '{{"text_input": "<|im_start|>user\\nWhat is PII?\
<|im_end|>\\n<|im_start|>assistant\\n", "exclude_input_in_output": true, "sampling_parameters": \
"{{\\"max_tokens\\": 24, \\"temperature\\": 0}}"}}'"""


def main() -> int:
    """Prepare, start, tell, wait, stop."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="triton-")))
        repository = prepared(options, folder)
        ports = {"http": options.port, "grpc": options.port + 1, "metrics": options.port + 2}
        wait_until_free(list(ports.values()), options.port_limit)
        process = started(folder, repository, ports, options)
        stack.callback(stop, process)
        if not ready(process, ports["http"], options.start_limit):
            print("tritonserver did not become ready; its messages are above", file=sys.stderr)
            return 1
        (folder / "running.json").write_text(json.dumps({"pid": process.pid, **ports}))
        for kind, port in ports.items():
            print(f"{kind:8} {LOOPBACK}:{port}", flush=True)
        print("\nTry\n  " + TRY.format(address=f"{LOOPBACK}:{ports['http']}"), flush=True)
        try:
            return process.wait()
        except KeyboardInterrupt:
            return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", choices=STAND_INS, default="smollm2", help="own: as --set and config.pbtxt say")
    parser.add_argument("--repository", type=Path, default=HERE / "cpu")
    parser.add_argument("--load", nargs="*", metavar="MODEL", help="what to load at the start; default: all")
    parser.add_argument("--set", nargs="*", default=[], metavar="MODEL.NAME=VALUE", help="parameters of config.pbtxt")
    parser.add_argument("--adapter", nargs="*", default=[], metavar="MODEL.NAME=FOLDER", help="LoRA weights by name")
    parser.add_argument("--port", type=int, default=8000, help="of HTTP; gRPC and metrics take the next two")
    parser.add_argument("--port-limit", type=float, default=30.0, help="seconds to wait for ports in use")
    parser.add_argument("--folder", type=Path, help="of the run, for whoever wants to see; default: a temporary one")
    parser.add_argument("--start-limit", type=float, default=180.0, help="seconds until everything must be loaded")
    parser.add_argument("--exit-limit", type=int, default=5, help="seconds for requests under way when it is stopped")
    own = "another option of tritonserver: grpc-use-ssl=true; may be repeated"
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help=own)
    parser.add_argument("--log", action="store_true", help="show the server's own messages, not only its errors")
    return parser.parse_args()


def prepared(options: argparse.Namespace, folder: Path) -> Path:
    """A copy of the repository that names existing weights."""
    repository = folder / "repository"
    shutil.copytree(options.repository, repository, ignore=shutil.ignore_patterns("__pycache__"))
    own = _weights_beside(sys.executable)
    values: dict[str, dict[str, str]] = {"embeddings": {"weights": str(own / "minilm")}}
    for model, (name, template) in STAND_INS[options.models].items():
        values[model] = {"weights": str(own / name), "chat_template": template}
    for model, name, value in map(_split, options.set):
        values.setdefault(model, {})[name] = value
    adapters: dict[str, dict[str, str]] = {}
    for model, name, path in map(_split, options.adapter):
        adapters.setdefault(model, {})[name] = str(Path(path).resolve())
    for model, parameters in values.items():
        if (config := repository / model / "config.pbtxt").exists():
            config.write_text(filled(config.read_text(), parameters))
    for model, named in adapters.items():
        for version in (repository / model).glob("[0-9]*"):
            (version / "multi_lora.json").write_text(json.dumps(named))
    return repository


def _weights_beside(python: str) -> Path:
    return Path(python).parents[1] / "weights"


def _split(text: str) -> tuple[str, str, str]:
    name, found, value = text.partition("=")
    model, dot, parameter = name.partition(".")
    if not found or not dot:
        raise SystemExit(f"{text}: write MODEL.NAME=VALUE")
    return model, parameter, value


def filled(config: str, parameters: Mapping[str, str]) -> str:
    """A `config.pbtxt` with these string parameters, in place of those it has."""
    for name, value in parameters.items():
        line = f'parameters {{ key: "{name}", value {{ string_value: {json.dumps(value)} }} }}'
        present = re.compile(rf'^parameters {{ key: "{re.escape(name)}", .*$', re.MULTILINE)
        if present.search(config):
            config = present.sub(lambda _, line=line: line, config)
        else:
            config += line + "\n"
    return config


def started(
    folder: Path, repository: Path, ports: Mapping[str, int], options: argparse.Namespace
) -> subprocess.Popen[bytes]:
    """tritonserver, in a process group of its own, with the interpreter that runs this for its models."""
    server = _wheel()
    backends = folder / "backends"
    (backends / "python").mkdir(parents=True)
    for path in (server / "backends" / "python").iterdir():
        (backends / "python" / path.name).symlink_to(path)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = backends / "python" / "triton_python_backend_stub"
    stub.unlink(missing_ok=True)
    stub.symlink_to(server / "python_backend_stubs" / version / stub.name)
    names = sorted(path.parent.name for path in repository.glob("*/config.pbtxt"))
    wanted: Sequence[str] = names if options.load is None else options.load
    command = [
        server / "bin" / "tritonserver",
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        f"--cache-directory={server / 'caches'}",
        *(f"--{kind}-address={LOOPBACK}" for kind in ports),
        *(f"--{kind}-port={port}" for kind, port in ports.items()),
        "--allow-gpu-metrics=false",
        "--model-control-mode=explicit",
        *(f"--load-model={name}" for name in wanted),
        f"--log-info={'true' if options.log else 'false'}",
        f"--exit-timeout-secs={options.exit_limit}",
        *(f"--{option}" for option in options.option),
    ]
    python = Path(sys.executable)
    environment = os.environ | {
        "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        # The stub must bind the library of the interpreter whose packages it uses, not another one that it finds.
        "LD_LIBRARY_PATH": str(sysconfig.get_config_var("LIBDIR")),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    environment.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
    return subprocess.Popen([str(part) for part in command], env=environment, start_new_session=True)


def _wheel() -> Path:
    server = Path(sysconfig.get_path("purelib")) / "pytriton" / "tritonserver"
    if not server.is_dir():
        raise SystemExit(
            "nvidia-pytriton is not installed here: run this with the interpreter that `make models` makes"
        )
    return server


def wait_until_free(ports: Sequence[int], limit_s: float) -> None:
    """A server that stopped a moment ago may still hold them."""
    until = time.monotonic() + limit_s
    while True:
        taken = [port for port in ports if not _free(port)]
        if not taken:
            return
        if time.monotonic() > until:
            raise SystemExit(f"in use: {', '.join(map(str, taken))}; choose others with --port")
        time.sleep(0.1)


def _free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def ready(process: subprocess.Popen[bytes], port: int, limit_s: float) -> bool:
    """Whether the server, and all that it loads at the start, is ready before it ends or the limit comes."""
    until = time.monotonic() + limit_s
    address = f"http://{LOOPBACK}:{port}/v2/health/ready"
    while process.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:  # our own server on loopback
                if answer.status == 200:
                    return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """Let it unload its models, then make sure that nothing of it is left."""
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)  # the processes of its models
    except ProcessLookupError:
        return


if __name__ == "__main__":
    sys.exit(main())
