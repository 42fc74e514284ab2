"""How a policy bundle is put together and what its digest covers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from llama_mapper.domain.orchestration.ports import PolicyBundle


def bundle_digest(modules: Mapping[str, str], data: Mapping[str, Any]) -> str:
    """`sha256:` over every module, by path, and the data.

    Each path and each source goes in with its length in bytes before it, so that no two bundles share a text; data
    goes in as JSON with sorted keys.
    """
    digest = hashlib.sha256()
    parts = [text for path in sorted(modules) for text in (path, modules[path])]
    for text in (*parts, json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)):
        raw = text.encode()
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return f"sha256:{digest.hexdigest()}"


def make_bundle(
    name: str, version: str, description: str, modules: Mapping[str, str], data: Mapping[str, Any]
) -> PolicyBundle:
    """A bundle with the digest that its content has."""
    return PolicyBundle(name, version, bundle_digest(modules, data), description, modules, data)
