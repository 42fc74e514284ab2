"""What the commands about bundles in folders need of the adapters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from llama_mapper.entrypoints.settings import Settings

if TYPE_CHECKING:
    from llama_mapper.domain.orchestration.ports import PolicyBundle
    from llama_mapper.domain.orchestration.schema import Migrated
    from llama_mapper.domain.orchestration.validation.report import ValidationReport


def read_bundle(folder: Path) -> PolicyBundle:
    """The bundle in `folder`; raise `POLICY_INVALID` or `POLICY_SCHEMA_UNSUPPORTED`."""
    from llama_mapper.adapters.orchestration.policies.policy_folders import read_policy_folder

    return read_policy_folder(folder)


def migrate_folder(folder: Path, output: Path) -> Migrated:
    """Write the bundle in `folder` to `output`, in the current schema."""
    from llama_mapper.adapters.orchestration.policies.policy_folders import migrate_policy_folder

    return migrate_policy_folder(folder, output)


async def lint_folder(folder: Path, tenant_id: str, settings: Settings) -> ValidationReport:
    """Everything that is wrong with the bundle in `folder`, against the detectors that were in service last."""
    from llama_mapper.adapters.orchestration.sql_detector_records import SqlDetectorRecords
    from llama_mapper.adapters.platform.catalogue_files import load_catalogue
    from llama_mapper.entrypoints.containers.databases import database_for, open_database
    from llama_mapper.entrypoints.containers.policy_engines import bundle_validator
    from llama_mapper.entrypoints.containers.policy_simulation import recorded_detectors

    bundle = read_bundle(folder)
    async with open_database(database_for(settings, "orchestration")) as database:
        records = SqlDetectorRecords(database)
        validator = bundle_validator(settings, recorded_detectors(records), load_catalogue().categories)
        return await validator.validate(bundle, tenant_id)
