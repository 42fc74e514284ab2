"""What tests with models run on: an interpreter of its own, since torch is no part of the product's environment."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.servers import ROOT

VARIABLE = "LLAMA_MAPPER_TEST_MODELS_PYTHON"
WEIGHTS_PROGRAM = ROOT / "deploy" / "triton" / "weights.py"


def models_interpreter() -> Path:
    """The interpreter that the environment names, which must exist, or that of `.venv-models`; skip without one."""
    named = os.environ.get(VARIABLE)
    python = Path(named) if named else ROOT / ".venv-models" / "bin" / "python"
    if not python.exists():
        if named:
            raise RuntimeError(f"{VARIABLE} names {named}, which does not exist")
        pytest.skip("no environment with torch and tritonserver: `make models` makes one")
    return python


def run_program(python: Path, *arguments: object, limit_s: float = 300.0, **environment: str) -> str:
    """What a program writes to its standard output, run to its end; its errors are shown if it fails.

    One thread, offline, with the product importable: the interpreter's own environment does not have it.
    """
    done = subprocess.run(
        [python, *map(str, arguments)],
        cwd=ROOT,
        env=environment_of_models() | environment,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def environment_of_models() -> dict[str, str]:
    """For every process with torch: more threads are slower on a busy machine, and nothing is fetched."""
    fixed = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    return {**os.environ, **fixed, "PYTHONPATH": str(ROOT / "src")}


def weights(python: Path, name: str) -> Path:
    """The folder of a small model, made when first asked for and kept beside the interpreter."""
    folder = python.parents[1] / "weights"
    if not (folder / name).exists():
        run_program(python, WEIGHTS_PROGRAM, folder, name)
    return folder / name
