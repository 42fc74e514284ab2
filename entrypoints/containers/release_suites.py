"""What blue-green candidates are validated with before they get all the traffic."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_mapper.domain.contracts.releases import VariantKind
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.mapping.labels import KnownLabel, LabelKey
from llama_mapper.domain.mapping.releases.split_cascade import strategy_of
from llama_mapper.domain.mapping.releases.suites import LabelSuite, StrategyStage

if TYPE_CHECKING:
    from llama_mapper.domain.mapping.cascade.ports import CandidateStage, Ranking
    from llama_mapper.domain.mapping.releases.ports import ValidationSuite
    from llama_mapper.domain.mapping.releases.routing import Variant
    from llama_mapper.domain.mapping.releases.split_stage import StageOf
    from llama_mapper.entrypoints.containers.generation import ReleasedStages
    from llama_mapper.entrypoints.containers.mapping_stages import Neighbourhood, RunningStages
    from llama_mapper.entrypoints.settings import Settings

_SAMPLE = 40
_MOST_CASES = 1_000


def release_suites(
    settings: Settings, stages: RunningStages, released: ReleasedStages | None
) -> dict[VariantKind, ValidationSuite]:
    """A suite for each kind that can be released here. Nothing is read before one is run."""
    neighbourhood, cascade = stages.neighbourhood, stages.cascade

    async def hints_of(labels: Sequence[LabelKey]) -> Sequence[Ranking]:
        return await neighbourhood.lexical().rank_apart(labels, neighbourhood.families.of)

    def suite(stage_of: StageOf, *, hinted: bool) -> LabelSuite:
        return LabelSuite(
            stage_of,
            lambda: cases(settings.release_suite, neighbourhood),
            least=settings.release_suite_minimum,
            within_s=settings.release_suite_timeout_s,
            hints_of=hints_of if hinted else None,
        )

    def strategy_stage(variant: Variant) -> CandidateStage | None:
        found = strategy_of(variant.version)
        return None if found is None or cascade is None else StrategyStage(cascade, found)

    suites: dict[VariantKind, ValidationSuite] = {VariantKind.STRATEGY: suite(strategy_stage, hinted=False)}
    if released is not None:
        suites[VariantKind.MODEL] = suite(released.model_of, hinted=True)
        suites[VariantKind.PROMPT] = suite(released.prompt_of, hinted=True)
    return suites


def cases(file: Path | None, neighbourhood: Neighbourhood) -> Sequence[KnownLabel]:
    """The labels of the file, else an even sample of the shipped vocabularies; raise `CONFIGURATION_INVALID`."""
    if file is None:
        known = neighbourhood.known
        return known[:: max(1, len(known) // _SAMPLE)][:_SAMPLE]
    try:
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
        found = [_case(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"release_suite: {file} cannot be read: {type(error).__name__}") from error
    if len(found) > _MOST_CASES:
        raise ConfigurationError(f"release_suite: {file} has more than {_MOST_CASES} cases")
    return found


def _case(row: dict[str, Any]) -> KnownLabel:
    vendor, label, canonical = row["vendor"], row["label"], row["canonical"]
    if not all(isinstance(each, str) and each for each in (vendor, label, canonical)):
        raise TypeError("texts")
    return KnownLabel(LabelKey(vendor, None, label), canonical)
