"""Which object store the settings choose."""

from __future__ import annotations

from pathlib import Path

import pytest

from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.entrypoints.containers import objects
from llama_mapper.entrypoints.settings import Settings

CHOICES = {
    "folder": ({}, "FolderObjects"),
    "s3": ({"s3_bucket": "bucket"}, "S3Objects"),
    "azure": ({"azure_connection_string": "x", "azure_container": "models"}, "AzureBlobObjects"),
}


@pytest.mark.parametrize("kind", CHOICES)
def test_the_settings_choose_the_store(tmp_path: Path, kind: str) -> None:
    options, name = CHOICES[kind]
    settings = Settings.load(data_dir=tmp_path, object_store=kind, **options)
    assert type(objects.object_store(settings)).__name__ == name


@pytest.mark.parametrize("kind", ["s3", "azure"])
def test_a_store_without_its_place_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ConfigurationError, match=f"object_store {kind} needs"):
        Settings.load(data_dir=tmp_path, object_store=kind)


def test_half_of_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="set together"):
        Settings.load(data_dir=tmp_path, s3_access_key_id="x")


@pytest.mark.parametrize("kind", ["s3", "azure"])
def test_a_store_whose_library_is_missing_names_the_extra(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "find_spec", lambda _: None)
    settings = Settings.load(data_dir=tmp_path, object_store=kind, **CHOICES[kind][0])
    with pytest.raises(ConfigurationError, match=rf"llama-mapper\[{kind}\]"):
        objects.object_store(settings)
