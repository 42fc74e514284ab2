"""Fine-tunes one LoRA adapter: a program of its own, run with the path of a run folder.

The folder has `job.json` (`TrainingSpec`) and `data/{train,validation,test}.jsonl`; the trainer adds `checkpoints/`,
`metrics.jsonl`, `adapter/` and `evaluation.json`. It goes on from the newest whole checkpoint, so that a run that was
killed does the same steps with the same numbers as one that was not. What it tells on the way: `trainer_events`.

It needs torch, transformers, peft and safetensors, and of llama_mapper only modules of the standard library. Standard
input is the parent's life line: when it closes, the trainer ends at once.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

from llama_mapper.adapters.mapping.training.durable_files import is_disk_full
from llama_mapper.adapters.mapping.training.trainer_events import EventWriter, TrainerEvent, TrainerFault
from llama_mapper.domain.mapping.training.spec import TrainingSpec

STOPPED_STATUS = 75
FAILED_STATUS = 1
KILLED_WITH_PARENT = 70


def main(arguments: list[str]) -> int:
    """Train as the run folder says. Exit status 0: finished; 75: stopped when asked to; 1: error."""
    folder = Path(arguments[0])
    events = EventWriter()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with (folder / "trainer.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return _fail(events, TrainerFault.RUN_LOCKED, "another trainer works in this run's folder")
            return _trained(folder, events, stop)
    except OSError as error:
        if is_disk_full(error):
            return _fail(events, TrainerFault.DISK_FULL, f"{error.strerror or error}; the last checkpoint is intact")
        return _unforeseen(events, error)
    except Exception as error:
        return _unforeseen(events, error)


def _trained(folder: Path, events: EventWriter, stop: threading.Event) -> int:
    try:
        spec = TrainingSpec.from_json((folder / "job.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        return _fail(events, TrainerFault.RUN_INVALID, f"job.json cannot be used: {error}")
    try:
        from llama_mapper.adapters.mapping.training.lora_model import BaseModelError
        from llama_mapper.adapters.mapping.training.lora_run import DivergedError, LoraRun, RunError
    except ModuleNotFoundError as error:
        return _fail(events, TrainerFault.PACKAGES_MISSING, f"the package {error.name} is missing")
    try:
        run = LoraRun(folder, spec, events)
        if not run.train(stop.is_set):
            events.tell(TrainerEvent.STOPPED, step=run.step)
            return STOPPED_STATUS
        run.finish()
    except ModuleNotFoundError as error:
        return _fail(events, TrainerFault.PACKAGES_MISSING, f"the package {error.name} is missing")
    except BaseModelError as error:
        return _fail(events, TrainerFault.BASE_MODEL_INVALID, str(error))
    except RunError as error:
        return _fail(events, TrainerFault.RUN_INVALID, str(error))
    except DivergedError as error:
        return _fail(events, TrainerFault.DIVERGED, str(error))
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "out of memory" in str(error):
            return _fail(events, TrainerFault.OUT_OF_MEMORY, "not enough memory; lower batch_size or max_tokens")
        raise
    events.tell(TrainerEvent.DONE, step=run.step, best_step=run.best_step)
    return 0


def _fail(events: EventWriter, fault: TrainerFault, message: str) -> int:
    events.tell(TrainerEvent.ERROR, code=fault.value, message=message[:1000])
    return FAILED_STATUS


def _unforeseen(events: EventWriter, error: Exception) -> int:
    traceback.print_exc(file=sys.stderr)
    return _fail(events, TrainerFault.FAILED, f"an unexpected error ({type(error).__name__}); the log has the trace")


def _end_with_parent() -> None:
    # The parent never writes: reading ends when it closes its end or dies, however it dies.
    try:
        while os.read(0, 4096):
            pass
    except OSError:
        return
    os._exit(KILLED_WITH_PARENT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
