"""The matrix of models against versions of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llama_mapper.domain.contracts.catalogue import CatalogueVersions
from llama_mapper.domain.contracts.models import ModelFit, ModelStage
from llama_mapper.domain.mapping.models.compatibility import differences
from llama_mapper.domain.mapping.models.events import StoredModel
from llama_mapper.domain.mapping.models.telling import versions_of


def fits_of(model: StoredModel, columns: Sequence[CatalogueVersions]) -> Iterator[ModelFit]:
    """A model's versions that are not archived, highest first, each against each of `columns`."""
    for info in versions_of(model):
        found = model.version(info.version)
        if found is None or info.stage is ModelStage.ARCHIVED:
            continue
        needs = found.manifest.compatible
        for column in columns:
            differing = differences(needs, column)
            yield ModelFit(
                name=info.name,
                version=info.version,
                owner=info.owner,
                stage=info.stage,
                needs=needs,
                taxonomy=column.taxonomy,
                vocabulary=column.vocabulary,
                crosswalk=column.crosswalk,
                fits=not differing,
                differences=differing,
            )
