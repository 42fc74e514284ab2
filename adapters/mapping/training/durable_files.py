"""Files and folders that are there whole or not at all, also after a loss of power. Standard library alone."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

MANIFEST = "manifest.json"
TEMPORARY = ".tmp-"
"""What the names of unfinished folders and files begin with."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class DiskFullError(OSError):
    """There was no room for a file; nothing was published, and what was there before is untouched."""


class CorruptFolderError(Exception):
    """A folder's files are not those that its manifest names."""


def write_file(path: Path, content: bytes) -> None:
    """Put a whole file in place, replacing one that is there; raise `DiskFullError` where there is no room."""
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    try:
        _write(temporary, content)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise _named(error, path) from error


def publish_folder(path: Path, files: Mapping[str, bytes], facts: Mapping[str, object]) -> None:
    """Put a folder in place with `files` and a manifest of their sizes, SHA-256 digests and `facts`.

    A folder of this name is replaced. Raise `DiskFullError` where there is no room.
    """
    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        for name, content in files.items():
            _write(temporary / name, content)
        manifest = {
            "facts": dict(facts),
            "files": {
                name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                for name, content in files.items()
            },
        }
        _write(temporary / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode())
        _sync_folder(temporary)
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise _named(error, path) from error


def verified_folder(path: Path) -> dict[str, object]:
    """The facts of a published folder; raise `CorruptFolderError`, saying why, unless every file is as it was."""
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        facts, files = dict(manifest["facts"]), dict(manifest["files"])
        for name, told in files.items():
            size, digest = told["bytes"], told["sha256"]
            if Path(name).name != name:
                raise CorruptFolderError("its manifest names a file outside of it")
            if not (path / name).is_file():
                raise CorruptFolderError(f"{name} is missing")
            if (path / name).stat().st_size != size:
                raise CorruptFolderError(f"{name} has not the size that the manifest tells")
            with (path / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                    raise CorruptFolderError(f"{name} has not the digest that the manifest tells")
    except FileNotFoundError:
        raise CorruptFolderError("it has no manifest") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptFolderError(f"its manifest cannot be read ({type(error).__name__})") from error
    return facts


def is_disk_full(error: OSError) -> bool:
    """Whether an operation failed for want of room: disk, quota or file size limit."""
    return isinstance(error, DiskFullError) or error.errno in _FULL


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _named(error: OSError, path: Path) -> OSError:
    if not is_disk_full(error):
        return error
    return DiskFullError(error.errno, f"no room to write {path.name}: {os.strerror(error.errno or errno.ENOSPC)}")
