"""Moves a Rego module below a package of our own, so that many bundles live side by side in one OPA.

All modules of an OPA server share one tree of packages and data. A module is moved by naming the new root in its
`package` and in every reference to `data`. The places come from regorus' parser, never from searching the text: what
stands in strings, comments and behind a dot is not touched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from llama_mapper.adapters.orchestration.policies.regorus_policy_engine import told_by
from llama_mapper.domain.kernel.errors import PolicyEnforcementError

_DATA = "data"


def relocated(path: str, source: str, root: str) -> str:
    """`source` with everything in it below `root`, a dotted package; lines stay where they are.

    Raises `POLICY_INVALID`, naming `path`, if it is not Rego.
    """
    import regorus

    engine = regorus.Engine()
    try:
        engine.add_policy(path, source)
        [module] = json.loads(engine.get_ast_as_json())
    except (RuntimeError, ValueError) as error:
        raise PolicyEnforcementError(f"the policy does not compile: {told_by(error.with_traceback(None))}") from error
    tree = module["ast"]
    raw = source.encode()
    inserts = {tree["package"]["refr"][_kind(tree["package"]["refr"])]["span"]["start"]: f"{root}.".encode()}
    for span in (*_data_references(tree["imports"]), *_data_references(tree["rules"])):
        if raw[span["start"] : span["end"]] != _DATA.encode():
            raise PolicyEnforcementError(f"{path}:{span['line']}: a reference to data cannot be placed")
        inserts[span["end"]] = f".{root}".encode()
    parts, at = [], 0
    for place in sorted(inserts):
        parts += [raw[at:place], inserts[place]]
        at = place
    return b"".join((*parts, raw[at:])).decode()


def _kind(reference: dict[str, Any]) -> str:
    return next(iter(reference))


def _data_references(tree: object) -> Iterator[dict[str, int]]:
    """Spans, in bytes, of every variable `data`; a rule or a local of this name is an error in Rego v1."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            variable = node.get("Var")
            if isinstance(variable, dict) and variable.get("value") == _DATA:
                yield variable["span"]
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
