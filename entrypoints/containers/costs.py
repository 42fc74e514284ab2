"""Writing what was spent, beside everything else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from llama_mapper.domain.kernel.errors import ServiceError
from llama_mapper.domain.kernel.money import TokenPrice
from llama_mapper.domain.mapping.costs.optimiser import ModelPrice
from llama_mapper.domain.mapping.costs.optimising import CostOptimiser
from llama_mapper.domain.mapping.costs.service import CostService
from llama_mapper.entrypoints.settings import Settings

_FLUSH_INTERVAL_S = 2.0


def model_prices(settings: Settings) -> tuple[ModelPrice, ...]:
    """The configured models and what they charge, by the names that costs are counted under."""
    return tuple(
        ModelPrice(
            f"{model.kind}/{model.path.stem if model.kind == 'gguf' and model.path is not None else model.model}",
            TokenPrice(model.prompt_price, model.completion_price),
        )
        for model in settings.generation
    )


@asynccontextmanager
async def flushing(costs: CostService, optimiser: CostOptimiser) -> AsyncIterator[None]:
    """Costs written every few seconds, and what is left at the end; the optimiser looks at those who spent."""

    async def flush_regularly() -> None:
        while True:
            await asyncio.sleep(_FLUSH_INTERVAL_S)
            try:
                written = await costs.flush()
            except ServiceError as error:
                structlog.get_logger("llama_mapper.costs").warning("costs could not be written", code=error.error_code)
                continue
            for tenant_id in written:
                try:
                    await optimiser.consider(tenant_id)
                except ServiceError as error:
                    structlog.get_logger("llama_mapper.costs").warning("no recommendation", code=error.error_code)

    writing = asyncio.create_task(flush_regularly())
    try:
        yield
    finally:
        writing.cancel()
        await asyncio.wait([writing])
        await costs.flush()
