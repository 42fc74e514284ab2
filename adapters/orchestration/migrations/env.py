"""Run by Alembic."""

from llama_mapper.adapters.orchestration.tables import METADATA
from llama_mapper.adapters.platform.migration_environment import run

run(METADATA)
