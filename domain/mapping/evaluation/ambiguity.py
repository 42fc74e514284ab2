"""Where vendors themselves disagree: no method that sees the label alone can be right for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from llama_mapper.domain.contracts.evaluation import Disagreement, UpperBound
from llama_mapper.domain.mapping.evaluation.items import EvaluationItem, category_of


def upper_bound(items: Sequence[EvaluationItem]) -> UpperBound:
    """The accuracy of giving every form of label its commonest meaning, with all meanings known; and the disagreements.

    It bounds methods that see the form alone. One that also makes use of the vendor's name may pass it.
    """
    return UpperBound(
        level2_accuracy=_reachable((item.form, category_of(item.gold)) for item in items),
        level3_accuracy=_reachable((item.form, item.gold) for item in items),
        disagreements=tuple(_disagreements(items)),
    )


def _reachable(meanings: Iterable[tuple[str, str]]) -> float:
    counts: dict[str, Counter[str]] = {}
    for form, meaning in meanings:
        counts.setdefault(form, Counter())[meaning] += 1
    total = sum(each.total() for each in counts.values())
    return sum(max(each.values()) for each in counts.values()) / total if total else 1.0


def _disagreements(items: Iterable[EvaluationItem]) -> Iterable[Disagreement]:
    meanings: dict[str, dict[str, dict[str, None]]] = {}
    for item in items:
        meanings.setdefault(item.form, {}).setdefault(item.gold, {})[item.family] = None
    for form, each in sorted(meanings.items()):
        if len(each) > 1:
            yield Disagreement(
                form=form, meanings={gold: tuple(sorted(owners)) for gold, owners in sorted(each.items())}
            )
