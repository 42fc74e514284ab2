"""A stored record under another version of the taxonomy: a view, never a change of what was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from llama_mapper.domain.contracts.analysis import AnalysisResponse
from llama_mapper.domain.contracts.assessment import Assessment
from llama_mapper.domain.contracts.base import VersionInfo
from llama_mapper.domain.contracts.catalogue import category_of
from llama_mapper.domain.contracts.mapping import FrameworkMapping, MappedLabel, MappingResponse, MappingStage
from llama_mapper.domain.contracts.orchestration import Finding, OrchestrationResponse
from llama_mapper.domain.contracts.taxonomies import RemappedAssessment, TaxonomyView

Found = TypeVar("Found", bound=Finding)


class Remapping:
    """Turns ids of one version into those of another, and remembers which."""

    def __init__(self, now: Callable[[str], str | None]) -> None:
        self._now = now
        self.changed: dict[str, str] = {}
        self.unresolved: dict[str, None] = {}

    def one(self, canonical: str) -> str | None:
        """The id that stands for this one."""
        now = self._now(canonical)
        if now is None:
            self.unresolved[canonical] = None
        elif now != canonical:
            self.changed[canonical] = now
        return now

    def each(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Those that stand for these, each once, in the same order."""
        return tuple(dict.fromkeys(now for label in labels if (now := self.one(label)) is not None))

    def category(self, category: str | None) -> str | None:
        """The risk category that stands for this one."""
        now = None if category is None else self.one(category)
        return None if now is None else category_of(now)


def remapped_response(response: MappingResponse, remapping: Remapping, version: str) -> MappingResponse:
    """The mapping under the version. Two labels that became one have the higher score; the controls are those that
    were answered, each led to by the labels that there are now. A label of which nothing is left has abstained.
    """
    scores: dict[str, float] = {}
    for canonical, score in response.scores.items():
        now = remapping.one(canonical)
        if now is not None:
            scores[now] = max(score, scores.get(now, 0.0))
    return response.model_copy(
        update={
            "taxonomy": remapping.each(response.taxonomy),
            "scores": scores,
            "labels": tuple(_label(label, remapping) for label in response.labels),
            "framework_mappings": {
                ref: _framework(mapping, remapping) for ref, mapping in response.framework_mappings.items()
            },
            "version_info": _version_info(response.version_info, version),
        }
    )


def remapped_assessment(
    assessment: Assessment, current: Callable[[str, str], str | None], version: str
) -> RemappedAssessment:
    """The record under the taxonomy `version`.

    Re-mapped are the mapping, and the risk categories of findings. Verdict, coverage, patterns, risk and compliance
    are what was decided then, in the words of then; the evidence is the one that was signed.
    """
    written = assessment.mapping.version_info.taxonomy_version or version
    remapping = Remapping(lambda canonical: current(canonical, written))
    mapping = remapped_response(assessment.mapping, remapping, version)
    orchestration = _orchestration(assessment.orchestration, remapping)
    analysis = _analysis(assessment.analysis, remapping)
    fields = {name: getattr(assessment, name) for name in Assessment.model_fields}
    fields |= {
        "mapping": mapping,
        "orchestration": orchestration,
        "analysis": analysis,
        "version_info": _version_info(assessment.version_info, version),
        "taxonomy_view": TaxonomyView(
            written_under=written,
            read_under=version,
            changed=remapping.changed,
            unresolved=tuple(remapping.unresolved),
        ),
    }
    return RemappedAssessment.model_construct(**fields)


def _label(label: MappedLabel, remapping: Remapping) -> MappedLabel:
    also = remapping.each(label.also)
    instead_of = None if label.instead_of is None else remapping.one(label.instead_of)
    canonical = None if label.canonical is None else remapping.one(label.canonical)
    changes: dict[str, object] = {"canonical": canonical, "also": also, "instead_of": instead_of}
    if canonical is None:
        changes |= {"abstained": True, "stage": MappingStage.ABSTAINED, "confidence": 0.0}
    return label.model_copy(update=changes)


def _framework(mapping: FrameworkMapping, remapping: Remapping) -> FrameworkMapping:
    return mapping.model_copy(
        update={
            "controls": tuple(
                control.model_copy(update={"canonical_labels": remapping.each(control.canonical_labels)})
                for control in mapping.controls
            )
        }
    )


def _orchestration(response: OrchestrationResponse, remapping: Remapping) -> OrchestrationResponse:
    results = tuple(
        result.model_copy(update={"findings": tuple(_finding(each, remapping) for each in result.findings)})
        for result in response.detector_results
    )
    return response.model_copy(update={"detector_results": results})


def _analysis(response: AnalysisResponse, remapping: Remapping) -> AnalysisResponse:
    return response.model_copy(update={"findings": tuple(_finding(each, remapping) for each in response.findings)})


def _finding(finding: Found, remapping: Remapping) -> Found:
    declared = None if finding.declared is None else remapping.one(finding.declared)
    return finding.model_copy(update={"category": remapping.category(finding.category), "declared": declared})


def _version_info(info: VersionInfo, version: str) -> VersionInfo:
    return info.model_copy(update={"taxonomy_version": version})
