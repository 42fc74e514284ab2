"""Run by Alembic."""

from llama_mapper.adapters.platform.migration_environment import run
from llama_mapper.adapters.platform.tables import METADATA

run(METADATA)
