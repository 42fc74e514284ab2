"""The catalogue's lists against the installed detectors themselves: what they can say, the catalogue knows."""

from __future__ import annotations

import warnings

import pytest

from llama_mapper.adapters.platform.catalogue_files import load_catalogue

_CATALOGUE = load_catalogue()


def test_every_secret_type_of_detect_secrets_is_known() -> None:
    util = pytest.importorskip("detect_secrets.core.plugins.util", reason="detect-secrets is not installed")
    types = util.get_mapping_from_secret_type_to_class()
    assert types
    assert [name for name in types if _CATALOGUE.match("detect_secrets", "1.5.0", name) is None] == []


def test_every_threat_of_picket_is_known() -> None:
    picket = pytest.importorskip("aicordon.picket", reason="aicordon is not installed")
    threats = picket.load().catalog()
    assert threats
    assert [name for name in threats if _CATALOGUE.match("aicordon_picket", "1.4.0", name) is None] == []


def test_every_entity_of_the_presidio_recognisers_is_known() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries behind it, which are not ours to keep quiet
        recognisers = pytest.importorskip(
            "presidio_analyzer.predefined_recognizers", reason="presidio-analyzer is not installed"
        )
        entities: set[str] = set()
        for name in recognisers.__all__:
            try:
                entities.update(getattr(recognisers, name)().supported_entities)
            except (ImportError, TypeError, ValueError):
                continue  # needs a model or an account; its entities are listed without being compared here
    assert len(entities) > 80
    assert sorted(entity for entity in entities if _CATALOGUE.match("presidio", "2.2.366", entity) is None) == []
