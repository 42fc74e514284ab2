"""How a policy bundle is put together and what its digest covers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from llama_mapper.domain.contracts.orchestration import ContentType, ProcessingMode
from llama_mapper.domain.kernel.errors import PolicyEnforcementError
from llama_mapper.domain.orchestration.plan import parse_plan
from llama_mapper.domain.orchestration.ports import PolicyBundle, PolicyEngine

_APPLIED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@+-]{0,127}")


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
    """A bundle with the digest that its content has.

    Raises `POLICY_INVALID` if records could not name it: `name@version` is 3 to 128 letters, digits and `_.:/@+-`.
    """
    if not name or not version or "@" in name or not _APPLIED.fullmatch(f"{name}@{version}"):
        raise PolicyEnforcementError("a policy bundle's name and version are letters, digits and _.:/+- , 127 in all")
    if len(description) > 512:
        raise PolicyEnforcementError("a policy bundle's description has at most 512 characters")
    return PolicyBundle(name, version, bundle_digest(modules, data), description, modules, data)


async def check_bundle(engine: PolicyEngine, bundle: PolicyBundle, tenant_id: str) -> None:
    """Raise `POLICY_INVALID` unless the bundle gives a valid plan for every content type and processing mode.

    To be asked before a bundle is stored. The facts name no detector, no category and no metadata: a bundle that
    passes may still fail on facts that these do not show.
    """
    for content_type in ContentType:
        for mode in ProcessingMode:
            facts: dict[str, Any] = {
                "tenant_id": tenant_id,
                "content_type": content_type.value,
                "processing_mode": mode.value,
                "categories": [],
                "metadata": {},
                "detectors": [],
            }
            try:
                parse_plan(await engine.evaluate(bundle, facts))
            except PolicyEnforcementError as error:
                where = f"for {content_type} content in mode {mode}"
                raise PolicyEnforcementError(f"{where}: {error.message}", error.error_code) from error
