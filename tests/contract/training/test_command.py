"""`llama-mapper train`: what it refuses before anything is trained."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from llama_mapper.adapters.mapping.training.trainer_process import require_packages, trainer_environment
from llama_mapper.domain.kernel.errors import ConfigurationError
from tests.support.servers import run_cli


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a base model with --base-model"),
        (("--base-model", "nowhere"), "nothing is downloaded"),
        (("--base-model", ".", "--resume"), "there is no run to go on with"),
        (("--base-model", ".", "--learning-rate", "0"), "learning_rate"),
        (("--base-model", ".", "--reviewed", "nowhere.jsonl"), "cannot be read"),
        (("--base-model", "."), "lacks torch, transformers, peft, safetensors"),
    ],
)
def test_what_cannot_be_trained_is_told_on_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run_cli(
        "train",
        "mapper",
        "--data-dir",
        tmp_path / "data",
        *arguments,
        environment={"LLAMA_MAPPER_TRAINING_PYTHON": sys.executable},
    )
    assert done.returncode == 2
    [line] = done.stderr.decode().strip().splitlines()[-1:]
    assert said in line
    assert not (tmp_path / "data" / "training").exists()


async def test_an_interpreter_that_cannot_train_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    for python, said in (
        (tmp_path / "none", "cannot be run"),
        (broken, "no Python that runs"),
        (Path(sys.executable), "lacks torch"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            await require_packages(python)


def test_a_trainer_gets_no_secret_and_no_network() -> None:
    given = trainer_environment(
        {
            "LLAMA_MAPPER_DATABASE_URL": "postgresql://secret",
            "PYTHONPATH": "/ours",
            "VIRTUAL_ENV": "/ours",
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "0",
        }
    )
    assert "secret" not in str(given)
    assert "/ours" not in str(given)
    assert (given["OMP_NUM_THREADS"], given["CUDA_VISIBLE_DEVICES"], given["HF_HUB_OFFLINE"]) == ("1", "0", "1")
