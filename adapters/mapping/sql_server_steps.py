"""What was done to the models of model servers, in a relational database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, insert, select

from llama_mapper.adapters.mapping.tables import SERVER_STEPS
from llama_mapper.adapters.platform.database import Database
from llama_mapper.domain.contracts.model_servers import ServerAction, ServerStep, ServerStepState
from llama_mapper.domain.mapping.generation.server_desk import Step

_STEP = SERVER_STEPS.c
_LOCK = select(func.pg_advisory_xact_lock(func.hashtext("model_server_steps")))


class SqlServerSteps:
    """Keeps `ServerSteps` on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, step: Step) -> int:
        """Keep a step under the next number."""
        async with self._database.writing() as connection:
            if not self._database.is_sqlite:  # SQLite has one writer at a time as it is
                await connection.execute(_LOCK)
            number = int(await connection.scalar(select(func.coalesce(func.max(_STEP.number), 0))) or 0) + 1
            row = {
                "number": number,
                "of": step.of or number,
                "server": step.server,
                "model": step.model,
                "action": step.action.value,
                "state": step.state.value,
                "code": step.code,
                "who": step.actor.name,
                "door": step.actor.door.value,
                "keyless": step.actor.keyless,
                "at": step.at,
                "note": step.note,
            }
            await connection.execute(insert(SERVER_STEPS), row)
        return number

    async def newest(self, server: str, limit: int) -> Sequence[ServerStep]:
        """The newest of a server, newest first."""
        own = select(SERVER_STEPS).where(_STEP.server == server).order_by(_STEP.number.desc()).limit(limit)
        async with self._database.reading() as connection:
            rows = (await connection.execute(own)).mappings().all()
        return [
            ServerStep(**{**row, "action": ServerAction(row["action"]), "state": ServerStepState(row["state"])})
            for row in rows
        ]
