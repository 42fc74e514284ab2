"""What a trace tells of a stage."""

from __future__ import annotations

from collections.abc import Sequence

from llama_mapper.domain.contracts.mapping import MappingStage
from llama_mapper.domain.kernel.tracing import Step
from llama_mapper.domain.mapping.cascade.ports import CandidateStage, Ranking


def tell_stage(at: Step, stage: CandidateStage, fresh: Sequence[Ranking], remembered: int) -> None:
    """What a stage made of the labels it was asked about; never a label."""
    faults = [ranking.fault for ranking in fresh if ranking.fault is not None]
    at.set(
        {
            "llama_mapper.mapping.stage": stage.stage.value,
            "llama_mapper.mapping.stage.version": stage.version,
            "llama_mapper.labels.asked": len(fresh),
            "llama_mapper.labels.answered": sum(bool(ranking.candidates) for ranking in fresh),
            "llama_mapper.labels.remembered": remembered,
            "llama_mapper.labels.faulty": len(faults),
        }
    )
    if stage.stage is MappingStage.MODEL:
        models = sorted({ranking.answered_by for ranking in fresh if ranking.answered_by})
        at.set(
            {
                "gen_ai.response.model": ",".join(models),
                "gen_ai.usage.input_tokens": sum(ranking.prompt_tokens for ranking in fresh),
                "gen_ai.usage.output_tokens": sum(ranking.completion_tokens for ranking in fresh),
            }
        )
    if faults and len(faults) == len(fresh):
        at.fail(faults[0])
