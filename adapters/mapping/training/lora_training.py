"""Runs of LoRA training: each in a folder, in a process of another interpreter."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llama_mapper.adapters.mapping.training.bounded_log import last_lines
from llama_mapper.adapters.mapping.training.durable_files import is_disk_full, write_file
from llama_mapper.adapters.mapping.training.loss_chart_pygal import draw_losses
from llama_mapper.adapters.mapping.training.run_folder import RunFolder
from llama_mapper.adapters.mapping.training.trainer_events import TrainerEvent, TrainerFault
from llama_mapper.adapters.mapping.training.trainer_process import TrainerProcess, require_packages, running_trainer
from llama_mapper.domain.contracts.training import TrainingProgress
from llama_mapper.domain.kernel.errors import ConfigurationError, ErrorCode, MappingError, ServiceError
from llama_mapper.domain.mapping.training.dataset import DataSet
from llama_mapper.domain.mapping.training.ports import TrainedModel, TrainingKey, TrainingOrder, TrainingStoppedError

_LOCK_PATIENCE_S = 30.0
"""A trainer whose parent died ends by itself; until then it has the run's folder."""

_LOCK_RETRY_S = 0.5
_CONFIGURATION = frozenset({TrainerFault.PACKAGES_MISSING, TrainerFault.BASE_MODEL_INVALID})
_NOTES = 8

Tell = Callable[[TrainingProgress], None]


class _Fault(Exception):
    def __init__(self, fault: TrainerFault, message: str) -> None:
        super().__init__(message)
        self.fault = fault
        self.message = message


class LoraTraining:
    """Keeps `Training`'s promise. `folder_of` says where a run is, `build` makes its data set."""

    def __init__(
        self, folder_of: Callable[[TrainingKey], Path], python: Path, build: Callable[[TrainingOrder], DataSet]
    ) -> None:
        self._folder_of = folder_of
        self._python = python
        self._build = build

    async def carry_out(self, order: TrainingOrder, tell: Tell, stop: asyncio.Event) -> TrainedModel:
        """See `Training.carry_out`."""
        run = RunFolder(self._folder_of(order.key))
        state = _Telling(tell, TrainingProgress(stage="preparing", steps=order.hyperparameters.steps))
        await require_packages(self._python)
        try:
            spec = await asyncio.to_thread(
                run.prepare, order.task, order.base_model, order.hyperparameters, lambda: self._build(order)
            )
            await self._trained(run.path, state, stop)
            state.update(stage="registering")
            await asyncio.to_thread(lambda: write_file(run.chart, draw_losses(run.path / "metrics.jsonl")))
            metrics = _metrics(run.evaluation())
            step = await asyncio.to_thread(run.publish_artifact, metrics, spec)
        except OSError as error:
            raise _of_disk(error) from error
        return TrainedModel(
            key=order.key,
            task=spec.task,
            base_model=Path(spec.base_model).name,
            folder=run.artifact,
            steps=step,
            metrics=metrics,
            card=run.card(),
            data_digest=spec.data_digest,
            spec_digest=spec.digest,
            trained_at=datetime.now(UTC),
        )

    async def log(self, key: TrainingKey, lines: int) -> tuple[Sequence[str], bool]:
        """See `Training.log`."""
        return await asyncio.to_thread(last_lines, RunFolder(self._folder_of(key)).log, lines)

    async def _trained(self, folder: Path, state: _Telling, stop: asyncio.Event) -> None:
        until = asyncio.get_running_loop().time() + _LOCK_PATIENCE_S
        while True:
            try:
                async with running_trainer(self._python, folder) as trainer:
                    await _listened(trainer, state, stop)
                    return
            except _Fault as error:
                locked = error.fault is TrainerFault.RUN_LOCKED
                if not locked or asyncio.get_running_loop().time() > until:
                    raise _refusal(error) from None
            await asyncio.sleep(_LOCK_RETRY_S)


class _Telling:
    """The progress as events change it."""

    def __init__(self, tell: Tell, first: TrainingProgress) -> None:
        self._tell = tell
        self._progress = first
        tell(first)

    def update(self, **changes: Any) -> None:
        self._progress = self._progress.model_copy(update=changes)
        self._tell(self._progress)

    def note(self, text: str) -> None:
        self.update(notes=(*self._progress.notes, text[:512])[-_NOTES:])


async def _listened(trainer: TrainerProcess, state: _Telling, stop: asyncio.Event) -> None:
    """Follow a trainer to its end; raise `_Fault` or `TrainingStoppedError` unless it finished."""
    asked = asyncio.create_task(_ask_when(stop, trainer))
    try:
        last: TrainerEvent | None = None
        async for event, facts in trainer.events():
            last = event
            if event is TrainerEvent.ERROR:
                raise _Fault(_fault(facts), str(facts.get("message", "")))
            _take_in(state, event, facts)
        status = await trainer.wait()
    finally:
        asked.cancel()
    # It may be asked before it can listen; what it has done by then is in its last checkpoint.
    if last is TrainerEvent.STOPPED or (stop.is_set() and status == -signal.SIGTERM):
        raise TrainingStoppedError("the run was asked to stop and can be gone on with")
    if status or last is not TrainerEvent.DONE:
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        raise _Fault(TrainerFault.FAILED, f"the trainer {how}; its log may say more")


async def _ask_when(stop: asyncio.Event, trainer: TrainerProcess) -> None:
    await stop.wait()
    trainer.ask_to_stop()


def _take_in(state: _Telling, event: TrainerEvent, facts: Mapping[str, Any]) -> None:
    match event:
        case TrainerEvent.LOADING:
            state.update(stage="loading")
        case TrainerEvent.READY:
            state.update(stage="training", step=facts["step"], steps=facts["steps"])
            if facts.get("left_out"):
                state.note(f"{facts['left_out']} examples are longer than max_tokens and were left out")
        case TrainerEvent.IGNORED:
            state.note(f"checkpoint {facts['name']} was passed over: {facts['reason']}")
        case TrainerEvent.STEP:
            state.update(
                stage="training",
                step=facts["step"],
                loss=facts["loss"],
                learning_rate=facts["learning_rate"],
                tokens_per_s=facts["tokens_per_s"],
                memory_bytes=facts["memory_bytes"],
            )
        case TrainerEvent.VALIDATION:
            state.update(validation_loss=facts["loss"])
        case TrainerEvent.EVALUATING:
            state.update(stage="evaluating", evaluated=facts["done"], to_evaluate=facts["total"])
        case _:
            return


def _fault(facts: Mapping[str, Any]) -> TrainerFault:
    try:
        return TrainerFault(facts["code"])
    except (KeyError, ValueError):
        return TrainerFault.FAILED


def _refusal(error: _Fault) -> ServiceError:
    if error.fault in _CONFIGURATION:
        return ConfigurationError(error.message)
    retryable = error.fault in (TrainerFault.DISK_FULL, TrainerFault.RUN_LOCKED, TrainerFault.FAILED)
    return MappingError(f"{error.fault.value}: {error.message}", ErrorCode.TRAINING_FAILED, retryable)


def _of_disk(error: OSError) -> ServiceError:
    fault = TrainerFault.DISK_FULL if is_disk_full(error) else TrainerFault.FAILED
    reason = error.strerror or type(error).__name__
    return MappingError(f"{fault.value}: the run's files cannot be written ({reason})", ErrorCode.TRAINING_FAILED, True)


def _metrics(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Figures of the adapter under their own names, the base model's under `base_…`."""
    found = {name: float(value) for name, value in evaluation["adapter"].items()}
    found |= {f"base_{name}": float(value) for name, value in evaluation["base"].items() if name != "examples"}
    if evaluation.get("validation_loss") is not None:
        found["validation_loss"] = float(evaluation["validation_loss"])
    return found
