"""The catalogue's lists against the installed detectors themselves: what they can say, the catalogue knows."""

from __future__ import annotations

import warnings
from importlib import import_module

import pytest

from llama_mapper.adapters.orchestration.policies.shipped_policies import load_shipped_bundles
from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.entrypoints.containers.orchestration import SCANNERS

_CATALOGUE = load_catalogue()


def test_every_secret_type_of_detect_secrets_is_known() -> None:
    from detect_secrets.core.plugins import util

    types = list[str](util.get_mapping_from_secret_type_to_class())
    assert types
    assert [name for name in types if _CATALOGUE.match("detect_secrets", "1.5.0", name) is None] == []


def test_every_threat_of_picket_is_known() -> None:
    from aicordon import picket

    threats = picket.load().catalog()
    assert threats
    assert [name for name in threats if _CATALOGUE.match("aicordon_picket", "1.4.0", name) is None] == []


def test_every_entity_of_the_presidio_recognisers_is_known() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries behind it, which are not ours to keep quiet
        from presidio_analyzer import predefined_recognizers as recognisers

        entities: set[str] = set()
        for name in recognisers.__all__:
            try:
                entities.update(getattr(recognisers, name)().supported_entities)
            except (ImportError, TypeError, ValueError):
                continue  # needs a model or an account; its entities are listed without being compared here
    assert len(entities) > 80
    assert sorted(entity for entity in entities if _CATALOGUE.match("presidio", "2.2.366", entity) is None) == []


@pytest.mark.parametrize("name", SCANNERS)
def test_every_label_of_a_shipped_detector_is_known_and_so_is_every_category_it_judges(name: str) -> None:
    module, _, factory = SCANNERS[name].partition(":")
    declared = getattr(import_module(module), factory)().descriptor
    assert declared.name == name
    unknown = [
        label for label in declared.labels if _CATALOGUE.match(declared.vendor, declared.vendor_version, label) is None
    ]
    assert unknown == []
    assert set(declared.categories) <= _CATALOGUE.categories.keys()


def test_the_shipped_policies_name_only_shipped_detectors() -> None:
    for bundle in load_shipped_bundles():
        defaults = bundle.data["defaults"]
        primary = [name for terms in defaults["content_types"].values() for name in terms["primary_detectors"]]
        assert {*defaults["detectors"], *primary} <= SCANNERS.keys(), bundle.name
