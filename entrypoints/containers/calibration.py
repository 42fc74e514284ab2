"""Fitting the shipped calibration, or an installation's own, anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llama_mapper.domain.kernel.errors import ConfigurationError

if TYPE_CHECKING:
    from llama_mapper.domain.mapping.cascade.calibration import Calibration
    from llama_mapper.domain.mapping.cascade.ports import CandidateStage
    from llama_mapper.entrypoints.settings import Settings


async def calibrate_stages(settings: Settings, output: Path, seed: int) -> Calibration:
    """Fit to every label of the vocabularies with the stages that can run here, and write the result.

    The version is made of the versions of everything that it was fitted on: the same data and seed give the same file.
    """
    from llama_mapper.adapters.mapping.minilm_embeddings import MiniLmEmbeddings
    from llama_mapper.adapters.mapping.neighbour_files import write_calibration
    from llama_mapper.domain.mapping.cascade.fitting import fit_calibration
    from llama_mapper.domain.mapping.neighbours.remembering import RememberingEmbeddings
    from llama_mapper.entrypoints.containers.mapping_stages import Neighbourhood, embedding_weights

    neighbourhood = Neighbourhood()
    raw = neighbourhood.raw
    stages: list[CandidateStage] = [neighbourhood.lexical()]
    embeddings: MiniLmEmbeddings | None = None
    try:
        embeddings = MiniLmEmbeddings(embedding_weights(settings))
    except ConfigurationError:
        pass  # without weights the calibration is for the lexical stage alone, and names that
    else:
        stage = neighbourhood.embedding(RememberingEmbeddings(embeddings), None)
        await stage.prepare()
        stages.append(stage)
    fitted_on = {
        "vocabularies": raw.vocabularies["version"],
        "taxonomy": raw.taxonomy["version"],
        "synonyms": neighbourhood.lexicon.version,
        "families": neighbourhood.families.version,
        **{stage.stage.value: stage.version for stage in stages},
    }
    calibration = await fit_calibration(
        stages,
        neighbourhood.known,
        neighbourhood.families,
        sum(len(domain["categories"]) for domain in raw.taxonomy["domains"]),
        seed=seed,
        version=f"{raw.vocabularies['version']}-{neighbourhood.lexicon.version}-{seed}",
        fitted_on=fitted_on,
        unrelated=neighbourhood.lexicon.unrelated,
    )
    write_calibration(calibration, output)
    if embeddings is not None:
        await embeddings.close()
    return calibration
