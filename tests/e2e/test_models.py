"""Models on the command line: registered, moved, examined, pulled, removed; and what an interruption leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.object_places import S3Place, s3_client
from tests.support.object_servers import s3
from tests.support.registered_models import lora_folder, safetensors
from tests.support.servers import PROGRAM, run_cli

__all__ = ["s3"]
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


def parts_there(client: Any, bucket: str) -> bool:
    """Whether an upload that has not ended has parts."""
    uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", ())
    return any(
        client.list_parts(Bucket=bucket, Key=each["Key"], UploadId=each["UploadId"]).get("Parts") for each in uploads
    )


def test_a_registration_killed_in_mid_upload_finishes_when_it_is_run_again(tmp_path: Path, s3: int) -> None:
    folder = lora_folder(tmp_path / "lora")
    size = 36 * 1024 * 1024  # three parts
    (folder / "a_base.safetensors").write_bytes(safetensors({"w": ("U8", [size], bytes(size))}))
    place = S3Place(s3)
    bucket = "killed-in-mid-upload"
    client = s3_client(s3)
    client.create_bucket(Bucket=bucket)
    environment = {
        "LLAMA_MAPPER_OBJECT_STORE": "s3",
        "LLAMA_MAPPER_S3_BUCKET": bucket,
        "LLAMA_MAPPER_S3_ENDPOINT_URL": place.bucket(bucket).endpoint_url or "",
        "LLAMA_MAPPER_S3_REGION": "us-east-1",
        "LLAMA_MAPPER_S3_ACCESS_KEY_ID": "test",
        "LLAMA_MAPPER_S3_SECRET_ACCESS_KEY": "secret",
    }
    data = tmp_path / "data"
    command = [PROGRAM, "models", "register", folder, "--name", NAME, "--data-dir", data]
    with subprocess.Popen([str(each) for each in command], env=os.environ | environment) as process:
        until = time.monotonic() + 60
        while not parts_there(client, bucket):
            assert time.monotonic() < until
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    listed = client.list_objects_v2(Bucket=bucket).get("Contents", ())
    assert not [each for each in listed if "a_base" in each["Key"]]
    assert models(data, "register", folder, "--name", NAME, environment=environment)["version"] == "0.1.0"
    assert [each["version"] for each in models(data, "list", NAME, environment=environment)["items"]] == ["0.1.0"]
    keys = [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert sorted(key.rsplit("/", 1)[1] for key in keys) == sorted(path.name for path in folder.iterdir())
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


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
