from __future__ import annotations

import copy

import pytest

from llama_mapper.adapters.platform.catalogue_files import load_raw_catalogue
from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
from llama_mapper.domain.mapping.catalogue.raw import RawCatalogue


@pytest.fixture(scope="session")
def shipped() -> RawCatalogue:
    """The shipped documents; not to be changed."""
    return load_raw_catalogue()


@pytest.fixture(scope="session")
def catalogue(shipped: RawCatalogue) -> Catalogue:
    return Catalogue(shipped)


@pytest.fixture
def raw(shipped: RawCatalogue) -> RawCatalogue:
    """A copy of the shipped documents to break on purpose."""
    return copy.deepcopy(shipped)
