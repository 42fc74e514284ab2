"""Signed evidence through the door, and the command that checks it."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest

from llama_mapper.adapters.platform.ed25519_signer import load_or_create_signer
from tests.e2e.conftest import Guarded
from tests.support.servers import run_cli


@pytest.fixture(scope="module")
def fetched(guarded: Guarded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evidence of an assessment of tenant alpha, in a file as it was answered."""
    with guarded.server.client(headers={"x-api-key": guarded.alpha}) as client:
        made = client.post("/v1/assessments", json={"content": "I will kill you tonight", "frameworks": ["gdpr"]})
        evidence = client.get(f"/v1/assessments/{made.json()['id']}/evidence")
    assert evidence.status_code == 200
    envelope = made.json()["evidence"]
    assert evidence.json() == envelope, "the same evidence as in the record"
    file = tmp_path_factory.mktemp("evidence") / "evidence.json"
    file.write_bytes(evidence.content)
    return file


def test_the_evidence_of_an_assessment_verifies(guarded: Guarded, fetched: Path) -> None:
    run = run_cli("evidence", "verify", fetched, "--data-dir", guarded.server.data_dir)
    assert (run.returncode, run.stderr) == (0, b"")
    assert run.stdout.startswith(b"valid: assessment asm_")
    assert b"tenant-alpha" in run.stdout


def test_it_verifies_anywhere_by_the_public_key_alone(guarded: Guarded, fetched: Path, tmp_path: Path) -> None:
    [public] = (guarded.server.data_dir / "keys").glob("*.pub.pem")
    assert b"PRIVATE" not in public.read_bytes()
    shutil.copy(public, tmp_path / "signer.pem")
    run = run_cli(
        "evidence", "verify", fetched, "--public-key", tmp_path / "signer.pem", "--data-dir", tmp_path / "none"
    )
    assert run.returncode == 0, run.stderr
    assert not (tmp_path / "none").exists(), "checking makes nothing"


def changed(fetched: Path, what: str) -> bytes:
    whole = fetched.read_bytes()
    envelope = json.loads(whole)
    payload, signature = (base64.b64decode(text) for text in (envelope["payload"], envelope["signatures"][0]["sig"]))
    if what == "a byte of the document":
        envelope["payload"] = base64.b64encode(payload.replace(b"tenant-alpha", b"tenant-alphb")).decode()
    elif what == "a bit of the signature":
        envelope["signatures"][0]["sig"] = base64.b64encode(bytes([signature[0] ^ 1]) + signature[1:]).decode()
    else:
        return whole[:-20]
    return json.dumps(envelope, separators=(",", ":")).encode()


@pytest.mark.parametrize("what", ["a byte of the document", "a bit of the signature", "the end"])
def test_evidence_that_was_changed_does_not_verify(guarded: Guarded, fetched: Path, tmp_path: Path, what: str) -> None:
    file = tmp_path / "evidence.json"
    file.write_bytes(changed(fetched, what))
    run = run_cli("evidence", "verify", file, "--data-dir", guarded.server.data_dir)
    assert run.returncode == 1
    assert run.stderr.startswith(b"NOT VALID")
    assert run.stdout == b""


def test_evidence_of_another_installation_does_not_verify(fetched: Path, tmp_path: Path) -> None:
    load_or_create_signer(tmp_path / "keys")
    foreign = run_cli("evidence", "verify", fetched, "--data-dir", tmp_path)
    assert foreign.returncode == 1
    assert foreign.stderr.startswith(b"NOT VALID")


def test_without_a_key_to_check_by_it_says_so(fetched: Path, tmp_path: Path) -> None:
    run = run_cli("evidence", "verify", fetched, "--data-dir", tmp_path)
    assert run.returncode == 2
    assert b"CONFIGURATION_INVALID" in run.stderr
