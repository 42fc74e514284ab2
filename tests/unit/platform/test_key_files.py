"""Secret files, and text digests under keys derived from one."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.platform.key_files import (
    TenantTextDigests,
    hkdf_sha256,
    load_or_create_private,
    load_or_create_secret,
)
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.ports import TextDigests

MASTER = bytes(range(32))


def test_a_secret_is_made_once_with_mode_0600_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "a" / "secret"
    before = os.umask(0o000)
    try:
        first = load_or_create_secret(path)
    finally:
        os.umask(before)
    assert len(first) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_or_create_secret(path) == first
    assert [file.name for file in path.parent.iterdir()] == ["secret"]


def test_two_secrets_differ(tmp_path: Path) -> None:
    assert load_or_create_secret(tmp_path / "a") != load_or_create_secret(tmp_path / "b")


def test_creators_that_race_all_read_the_first_ones_secret(tmp_path: Path) -> None:
    """Every creator is held inside `create` until all have found the file missing, so that all of them race."""
    gate = threading.Barrier(4, timeout=10)
    seen: list[bytes] = []

    def start(content: bytes) -> None:
        def create() -> bytes:
            gate.wait()
            return content

        seen.append(load_or_create_private(tmp_path / "key", create))

    threads = [threading.Thread(target=start, args=(bytes([number]) * 8,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4
    assert len(set(seen)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_a_secret_of_another_length_is_refused(tmp_path: Path) -> None:
    load_or_create_secret(tmp_path / "secret", size=16)
    with pytest.raises(ConfigurationError, match="16 bytes"):
        load_or_create_secret(tmp_path / "secret", size=32)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_secret_that_others_have_rights_to_is_refused(tmp_path: Path, mode: int) -> None:
    load_or_create_secret(tmp_path / "secret")
    (tmp_path / "secret").chmod(mode)
    with pytest.raises(ConfigurationError):
        load_or_create_secret(tmp_path / "secret")


def test_what_cannot_be_a_secret_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    large = tmp_path / "large"
    large.touch(mode=0o600)
    large.write_bytes(bytes(65 * 1024))
    file = tmp_path / "file"
    file.touch()
    for path in (tmp_path / "folder", large, file / "below"):
        with pytest.raises(ConfigurationError):
            load_or_create_secret(path)


@given(secret=st.binary(min_size=1, max_size=80), info=st.binary(max_size=80))
def test_the_derivation_is_hkdf_as_the_cryptography_library_has_it(secret: bytes, info: bytes) -> None:
    assert hkdf_sha256(secret, info) == HKDF(SHA256(), 32, salt=None, info=info).derive(secret)


def test_a_digest_is_an_hmac_under_the_tenants_derived_key() -> None:
    digests: TextDigests = TenantTextDigests(MASTER)
    key = HKDF(SHA256(), 32, salt=None, info=b"llama-mapper digest v1|acme").derive(MASTER)
    expected = hmac.new(key, "jörg@example.org".encode(), hashlib.sha256).hexdigest()
    assert digests.digest("acme", "jörg@example.org") == f"hmac-sha256:{expected}"


def test_equal_texts_give_equal_digests_within_a_tenant_only() -> None:
    digests = TenantTextDigests(MASTER)
    assert digests.digest("acme", "a") == digests.digest("acme", "a")
    assert digests.digest("acme", "a") != digests.digest("other", "a")
    assert digests.digest("acme", "a") != digests.digest("acme", "b")
    assert digests.digest("acme", "a") != TenantTextDigests(MASTER[::-1]).digest("acme", "a")


def test_a_digest_is_the_same_after_its_tenants_key_left_the_cache() -> None:
    digests = TenantTextDigests(MASTER)
    before = digests.digest("acme", "a")
    for number in range(5000):
        digests.digest(f"t{number}", "a")
    assert digests.digest("acme", "a") == before


def test_a_short_master_secret_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        TenantTextDigests(bytes(31))
