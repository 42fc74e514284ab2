"""An uploaded crosswalk as look-up tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_mapper.domain.contracts.catalogue import ControlLink
from llama_mapper.domain.mapping.catalogue.crosswalk import control_links
from llama_mapper.domain.mapping.catalogue.raw import RawSource
from llama_mapper.domain.mapping.taxonomies.present import CurrentId

Links = Mapping[tuple[str, str], Mapping[str, tuple[ControlLink, ...]]]
"""(framework, edition) → canonical label → its links."""


def crosswalk_links(
    raw: RawSource,
    labels: Mapping[str, str],
    current_id: CurrentId,
    crosswalk: Mapping[str, Any],
    taxonomy_version: str,
) -> Links:
    """The links of a crosswalk document over the shipped frameworks, by ids of the present taxonomy.

    Labels, editions and controls that are not shipped any more are left out: a document may be older than they are.
    """
    shipped = raw()
    controls = {
        f"{framework}:{edition}": listed["controls"]
        for framework, entry in shipped.frameworks["frameworks"].items()
        for edition, listed in entry["editions"].items()
    }
    entries = {}
    for label, entry in crosswalk["crosswalk"].items():
        now = current_id(label, taxonomy_version)
        if now is not None:
            linked = {
                edition: [each for each in ids if each in controls[edition]]
                for edition, ids in entry["controls"].items()
                if edition in controls
            }
            entries[now] = {"rationale": entry["rationale"], "controls": linked}
    correspondences = shipped.crosswalk.get("correspondences", ())
    return control_links(shipped.frameworks, {"crosswalk": entries, "correspondences": correspondences}, labels)
