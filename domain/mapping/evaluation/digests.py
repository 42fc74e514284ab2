"""What two evaluations must share to be compared, or one to be gone on with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from llama_mapper.domain.mapping.evaluation.items import EvaluationItem
from llama_mapper.domain.mapping.evaluation.runner import EvaluationPlan
from llama_mapper.domain.mapping.labels import LabelKey


def items_digest(items: Iterable[EvaluationItem]) -> str:
    """SHA-256 over what is asked and what is right, in any order of the items."""
    return _digest(sorted([*_key(item.key), item.gold, *item.also] for item in items))


def plan_digest(plan: EvaluationPlan, *versions: str) -> str:
    """SHA-256 over all that a fold's result depends on but the method: items in order, knowledge, folds, seed."""
    return _digest(
        {
            "items": [[*_key(item.key), item.gold, item.family, *item.also] for item in plan.items],
            "known": [[*_key(one.key), one.canonical, *one.also] for one in plan.known],
            "families": sorted(plan.families.items()),
            "folds": [[fold.name, fold.held_out, *sorted(fold.families)] for fold in plan.folds],
            "numbers": [plan.seed, plan.batch, plan.singles],
            "versions": versions,
        }
    )


def _key(key: LabelKey) -> Sequence[str]:
    return key.vendor, key.vendor_version or "", key.label


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()
