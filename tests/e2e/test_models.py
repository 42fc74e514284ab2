"""Models on the command line: registered, moved, examined, pulled, removed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.registered_models import lora_folder
from tests.support.servers import run_cli

NAME = "llama3_mapper"


def models(data_dir: Path, *arguments: object, fails: int = 0, environment: Mapping[str, str] | None = None) -> Any:
    """What a command about models prints, as JSON."""
    ran = run_cli("models", *arguments, "--json", "--data-dir", data_dir, environment=environment)
    assert ran.returncode == fails, ran.stderr.decode()
    return json.loads(ran.stdout) if ran.stdout else ran.stderr.decode()


def test_a_model_goes_from_a_folder_to_production_and_into_another(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", lora_folder(tmp_path / "lora")
    made = models(data, "register", folder, "--name", NAME, "--taxonomy", ">=1.0.0,<2.0.0")
    assert (made["version"], made["stage"], made["owner"], made["kind"]) == (
        "0.1.0",
        "candidate",
        "installation",
        "mapper",
    )
    assert made["manifest"]["metrics"] == {"level2_accuracy": 0.8}
    assert made["manifest"]["data_digest"].startswith("sha256:")
    assert models(data, "promote", NAME, "0.1.0", "--stage", "staging")["stage"] == "staging"
    assert models(data, "promote", NAME, "0.1.0", "--note", "good")["stage"] == "production"
    assert models(data, "list")["items"][0]["in_production"] == ["0.1.0"]
    assert models(data, "matrix", "--taxonomy", "3.0.0")["items"][0]["differences"] == [
        "it needs taxonomy >=1.0.0,<2.0.0, which is 3.0.0 here"
    ]
    assert models(data, "verify", NAME, "0.1.0")["sound"] is True
    models(data, "pull", NAME, "0.1.0", tmp_path / "served")
    pulled = tmp_path / "served" / "adapter_model.safetensors"
    assert pulled.read_bytes() == (folder / "adapter_model.safetensors").read_bytes()
    again = models(data, "register", tmp_path / "served", "--name", NAME, "--version", "0.2.0")
    assert again["manifest"]["artifacts"] == made["manifest"]["artifacts"]
    (content,) = (data / "objects").rglob("0.2.0/*/adapter_config.json/.content-*")
    content.write_bytes(b"{}")
    assert models(data, "verify", NAME, "0.2.0", fails=1)["sound"] is False
    assert "ARTIFACT_CORRUPTED" in models(data, "promote", NAME, "0.2.0", "--stage", "staging", fails=2)
    told = models(data, "prune", "--keep", "candidate=0")
    assert ([each["version"] for each in told["removed"]], told["dry_run"]) == (["0.2.0"], True)
    assert models(data, "prune", "--keep", "candidate=0", "--run")["removed"] == told["removed"]
    assert [each["step"] for each in models(data, "history", NAME)["items"]] == [
        "pruned",
        "registered",
        "promoted",
        "promoted",
        "registered",
    ]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"metrics.json": "[]"}, "is not a JSON object"),
        ({"adapter_config.json": "{"}, "is not JSON"),
        ({"adapter_model.safetensors": "junk"}, "too short"),
        ({"card.json": '{"task": "poet"}'}, "kind"),
    ],
)
def test_a_folder_that_is_no_model_is_refused_and_why(tmp_path: Path, spoil: dict[str, str], said: str) -> None:
    folder = lora_folder(tmp_path / "lora")
    for name, content in spoil.items():
        (folder / name).write_text(content)
    error = models(tmp_path / "data", "register", folder, "--name", NAME, fails=2)
    assert "MODEL_INVALID" in error
    assert said in error


def test_a_store_that_is_away_is_told_and_nothing_is_registered(tmp_path: Path) -> None:
    folder = lora_folder(tmp_path / "lora")
    environment = {
        "LLAMA_MAPPER_OBJECT_STORE": "s3",
        "LLAMA_MAPPER_S3_BUCKET": "bucket",
        "LLAMA_MAPPER_S3_ENDPOINT_URL": "http://127.0.0.1:9",
        "LLAMA_MAPPER_S3_ACCESS_KEY_ID": "test",
        "LLAMA_MAPPER_S3_SECRET_ACCESS_KEY": "secret",
    }
    error = models(tmp_path / "data", "register", folder, "--name", NAME, fails=2, environment=environment)
    assert "STORE_UNAVAILABLE: the object store is unavailable" in error
    assert "secret" not in error
    assert models(tmp_path / "data", "list")["items"] == []
