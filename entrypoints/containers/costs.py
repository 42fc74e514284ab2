"""Writing what was spent, beside everything else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.mapping.costs.service import CostService

_FLUSH_INTERVAL_S = 2.0


@asynccontextmanager
async def flushing(costs: CostService) -> AsyncIterator[None]:
    """Costs written every few seconds, and what is left at the end."""

    async def flush_regularly() -> None:
        while True:
            await asyncio.sleep(_FLUSH_INTERVAL_S)
            try:
                await costs.flush()
            except ServiceError as error:
                structlog.get_logger("llama_mapper.costs").warning("costs could not be written", code=error.error_code)

    writing = asyncio.create_task(flush_regularly())
    try:
        yield
    finally:
        writing.cancel()
        await asyncio.wait([writing])
        await costs.flush()
