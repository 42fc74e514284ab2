"""Secrets in files that only their owner can read, and the keyed digests made with one.

A secret file comes into being whole or not at all, and once: of two processes that start together on an empty
directory, one creates the file and both read it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from llama_mapper.domain.kernel.errors import ConfigurationError

_LARGEST = 64 * 1024
_TENANT_KEYS = 4096


def load_or_create_private(path: Path, create: Callable[[], bytes]) -> bytes:
    """The bytes of the secret file `path`; where there is none, first write what `create` gives, mode 0600.

    Raise `CONFIGURATION_INVALID` if the file can be read by others, is no regular file or cannot be read or written.
    The message names the path, never the secret.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _publish(path, create(), mode=0o600)
        return _read_private(path)
    except OSError as error:
        raise ConfigurationError(f"cannot use the key file {path}: {error.strerror}") from error


def load_or_create_secret(path: Path, size: int = 32) -> bytes:
    """The `size` random bytes in `path`, made at the first call; errors as of `load_or_create_private`.

    A file of another length is refused with `CONFIGURATION_INVALID`: it is not a secret of ours.
    """
    secret = load_or_create_private(path, lambda: secrets.token_bytes(size))
    if len(secret) != size:
        raise ConfigurationError(f"the key file {path} holds {len(secret)} bytes where {size} were expected")
    return secret


def write_public(path: Path, content: bytes) -> None:
    """Make `path` hold `content`, readable by all, replacing what was there in one step; raise OSError."""
    _publish(path, content, mode=0o644, replace=True)


class TenantTextDigests:
    """Keeps the promise of the `TextDigests` port: HMAC-SHA-256 under a key of the tenant's own.

    The tenant's key is HKDF-SHA-256 (RFC 5869, no salt) of the installation's master secret with the info
    `llama-mapper digest v1|` + tenant. Keys of the 4,096 most recent tenants are kept in memory.
    """

    def __init__(self, master: bytes) -> None:
        """`master` is at least 32 bytes; a shorter one is refused with `CONFIGURATION_INVALID`."""
        if len(master) < 32:
            raise ConfigurationError("the master secret of text digests needs at least 32 bytes")

        @lru_cache(maxsize=_TENANT_KEYS)
        def keyed(tenant_id: str) -> hmac.HMAC:
            return hmac.new(hkdf_sha256(master, b"llama-mapper digest v1|" + tenant_id.encode()), digestmod="sha256")

        self._keyed = keyed

    def digest(self, tenant_id: str, text: str) -> str:
        """See `TextDigests.digest`."""
        mac = self._keyed(tenant_id).copy()  # a copy costs half of keying anew
        mac.update(text.encode())
        return "hmac-sha256:" + mac.hexdigest()


class TenantRequestDigests:
    """Keeps `RequestDigests` as `TenantTextDigests` does, with the info `llama-mapper request digest v1|` + tenant.

    What is digested is the purpose and each part, every one after its length in 8 bytes.
    """

    def __init__(self, master: bytes) -> None:
        """`master` is at least 32 bytes; a shorter one is refused with `CONFIGURATION_INVALID`."""
        if len(master) < 32:
            raise ConfigurationError("the master secret of request digests needs at least 32 bytes")

        @lru_cache(maxsize=_TENANT_KEYS)
        def keyed(tenant_id: str) -> hmac.HMAC:
            info = b"llama-mapper request digest v1|" + tenant_id.encode()
            return hmac.new(hkdf_sha256(master, info), digestmod="sha256")

        self._keyed = keyed

    def digest(self, tenant_id: str, purpose: str, *parts: bytes) -> bytes:
        """See `RequestDigests.digest`."""
        mac = self._keyed(tenant_id).copy()
        for part in (purpose.encode(), *parts):
            mac.update(len(part).to_bytes(8, "big"))
            mac.update(part)
        return mac.digest()


def hkdf_sha256(secret: bytes, info: bytes) -> bytes:
    """32 bytes derived from `secret` for the purpose `info`: HKDF (RFC 5869) with SHA-256 and no salt."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), secret, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def _publish(path: Path, content: bytes, *, mode: int, replace: bool = False) -> None:
    """Write beside `path`, sync, then give it the name in one step; without `replace` the first writer wins."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            draft.replace(path)
        else:
            _link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_directory(path.parent)


def _link(draft: Path, path: Path) -> None:
    """A hard link, unlike a rename, refuses to overwrite: that is what makes the first writer win."""
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_private(path: Path) -> bytes:
    """Check the very file that is read, not its name, which could change hands in between."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ConfigurationError(f"the key file {path} is not a regular file")
        if status.st_mode & 0o077:
            raise ConfigurationError(
                f"the key file {path} has mode {stat.S_IMODE(status.st_mode):04o}: others than its owner have rights "
                "to it; set it to 0600 (chmod 600), and replace the key if somebody may have read it"
            )
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ConfigurationError(f"the key file {path} is larger than any key")
    return content
