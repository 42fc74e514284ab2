"""Old bundles in today's form: nothing is lost, nothing decides otherwise, and what is too new is refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mapper.adapters.orchestration.policies.policy_folders import migrate_policy_folder, read_policy_folder
from llama_mapper.adapters.orchestration.policies.regorus_policy_engine import RegorusPolicyEngine
from llama_mapper.adapters.orchestration.policies.shipped_policies import load_shipped_bundles
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, PolicyEnforcementError
from llama_mapper.domain.orchestration.bundle import check_bundle
from llama_mapper.domain.orchestration.schema import CURRENT_SCHEMA, Draft, migrate, schema_of

[DEFAULT] = [bundle for bundle in load_shipped_bundles() if bundle.name == "default"]
OLD_DATA = copy.deepcopy(dict(DEFAULT.data))
for part in ("enforcement", "redaction"):
    del OLD_DATA["defaults"][part]
OLD_MANIFEST = {"name": "acme", "version": "1.0.0", "description": ""}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def write(folder: Path, manifest: dict[str, Any], data: dict[str, Any] | None) -> Path:
    folder.mkdir()
    (folder / "bundle.json").write_text(json.dumps(manifest))
    (folder / "policy.rego").write_text(DEFAULT.modules["policy.rego"])
    if data is not None:
        (folder / "data.json").write_text(json.dumps(data))
    return folder


async def test_a_migrated_bundle_gives_a_valid_plan_where_the_old_data_no_longer_did(tmp_path: Path) -> None:
    old = write(tmp_path / "old", OLD_MANIFEST, OLD_DATA)
    engine = RegorusPolicyEngine()
    with pytest.raises(PolicyEnforcementError):
        await check_bundle(engine, read_policy_folder(old), "t1")
    migrated = migrate_policy_folder(old, tmp_path / "new")
    new = read_policy_folder(tmp_path / "new")
    await check_bundle(engine, new, "t1")
    assert (new.version, dict(new.data)) == ("1.0.0+schema.2", dict(DEFAULT.data))
    assert [change.partition(":")[0] for change in migrated.changes] == [
        "bundle.json",
        "bundle.json",
        *["data.json"] * 2,
    ]


def test_the_old_folder_stays_as_it_is_and_an_existing_one_is_never_overwritten(tmp_path: Path) -> None:
    old = write(tmp_path / "old", OLD_MANIFEST, OLD_DATA)
    before = {path.name: path.read_bytes() for path in old.iterdir()}
    migrate_policy_folder(old, tmp_path / "new")
    assert {path.name: path.read_bytes() for path in old.iterdir()} == before
    with pytest.raises(ConfigurationError):
        migrate_policy_folder(old, tmp_path / "new")


def test_a_bundle_of_todays_form_is_not_changed() -> None:
    draft = Draft({**OLD_MANIFEST, "schema": CURRENT_SCHEMA}, OLD_DATA)
    migrated = migrate(draft)
    assert (migrated.draft, migrated.changes) == (draft, ())


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_data_of_another_shape_is_the_authors_own(data: dict[str, Any]) -> None:
    before = copy.deepcopy(data)
    migrated = migrate(Draft(OLD_MANIFEST, data))
    assert migrated.draft.data == data == before
    assert migrated.draft.manifest["schema"] == CURRENT_SCHEMA


@given(JSON)
def test_what_the_author_set_is_never_replaced(value: object) -> None:
    data = {"defaults": {"detector_defaults": {}, "enforcement": value}}
    migrated = migrate(Draft(OLD_MANIFEST, data))
    assert migrated.draft.data["defaults"]["enforcement"] == value


def test_migrating_twice_is_migrating_once() -> None:
    once = migrate(Draft(OLD_MANIFEST, OLD_DATA)).draft
    assert migrate(once).draft == once


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        (CURRENT_SCHEMA + 1, ErrorCode.POLICY_SCHEMA_UNSUPPORTED),
        (0, ErrorCode.POLICY_INVALID),
        ("2", ErrorCode.POLICY_INVALID),
        (True, ErrorCode.POLICY_INVALID),
        (1.5, ErrorCode.POLICY_INVALID),
    ],
)
def test_a_form_that_is_not_known_is_refused(tmp_path: Path, schema: object, code: ErrorCode) -> None:
    folder = write(tmp_path / "one", {**OLD_MANIFEST, "schema": schema}, None)
    for attempt in (lambda: read_policy_folder(folder), lambda: migrate_policy_folder(folder, tmp_path / "new")):
        with pytest.raises(PolicyEnforcementError) as caught:
            attempt()
        assert caught.value.error_code is code
    assert not (tmp_path / "new").exists()


def test_a_bundle_without_a_form_is_of_the_first() -> None:
    assert schema_of({}) == 1
