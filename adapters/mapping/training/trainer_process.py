"""The trainer as a child process: started in an interpreter of its own, listened to, and killed with everything of its.

Of llama_mapper the child sees the package alone and nothing that is installed beside it, so that this interpreter's
libraries never meet the other's.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from llama_mapper.adapters.mapping.training.bounded_log import BoundedLog
from llama_mapper.adapters.mapping.training.trainer_events import LINE_LIMIT, TrainerEvent, read_event
from llama_mapper.domain.kernel.errors import ConfigurationError

_TRAINER = "llama_mapper.adapters.mapping.training.lora_trainer"
_BOOT = """\
import importlib.util, runpy, sys
root, module = sys.argv[1:3]
spec = importlib.util.spec_from_file_location("llama_mapper", root + "/__init__.py", submodule_search_locations=[root])
package = sys.modules["llama_mapper"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
sys.argv[1:3] = []
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
_NEEDED = ("torch", "transformers", "peft", "safetensors")
_PROBE = f"""\
import importlib.util as u, sys
print(sys.version_info >= (3, 11), *[n for n in {_NEEDED!r} if u.find_spec(n) is None])
"""
_PROBE_S = 60.0
_OWN_PREFIX = "LLAMA_MAPPER_"
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def trainer_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The child's environment: this process's without our own settings, which hold secrets, and without the network.

    `PYTHONPATH` and a virtual environment's name are this interpreter's and not the other's.
    """
    dropped = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    kept = {
        name: value for name, value in inherited.items() if not name.startswith(_OWN_PREFIX) and name not in dropped
    }
    return kept | _OFFLINE


async def require_packages(python: Path) -> None:
    """Raise `CONFIGURATION_INVALID`, naming what is missing, unless the interpreter can train."""
    try:
        process = await asyncio.create_subprocess_exec(
            str(python),
            "-P",
            "-c",
            _PROBE,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=trainer_environment(os.environ),
        )
    except OSError as error:
        raise ConfigurationError(f"training_python {python} cannot be run: {error.strerror}") from error
    try:
        async with asyncio.timeout(_PROBE_S):
            out, _ = await process.communicate()
    except TimeoutError:
        raise ConfigurationError(f"training_python {python} does not answer") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    answer = out.decode("utf-8", "replace").split()
    if process.returncode or not answer:
        raise ConfigurationError(f"training_python {python} is no Python that runs")
    if answer[0] != "True":
        raise ConfigurationError(f"training_python {python} is older than Python 3.11")
    if missing := answer[1:]:
        raise ConfigurationError(
            f"the interpreter {python} lacks {', '.join(missing)}: install 'llama-mapper[training]' and torch there, "
            "or set LLAMA_MAPPER_TRAINING_PYTHON to one that has them"
        )


class TrainerProcess:
    """A trainer that runs. Its process group is its own, so that whatever it starts dies with it."""

    def __init__(self, process: asyncio.subprocess.Process, log: BoundedLog) -> None:
        self._process = process
        self._log = log
        self._errors = asyncio.create_task(self._keep_log())

    @property
    def pid(self) -> int:
        """The trainer's process id."""
        return self._process.pid

    async def events(self) -> AsyncIterator[tuple[TrainerEvent, Mapping[str, Any]]]:
        """What it tells, until it ends; a line that is no event goes to the log."""
        stream = self._process.stdout
        if stream is None:
            return
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than any event, and dropped by the stream
                continue
            if not line:
                return
            event = read_event(line)
            if event is None:
                self._log.add(line)
            else:
                yield event

    async def wait(self) -> int:
        """Wait for its end and return the exit status; negative for a signal."""
        await self._errors
        return await self._process.wait()

    def ask_to_stop(self) -> None:
        """Ask for a checkpoint and an orderly end."""
        if self._process.returncode is None:
            self._process.terminate()

    async def kill(self) -> None:
        """Kill it and what it started, at once; harmless if it has ended."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        except PermissionError:  # macOS says so of a group whose processes have all ended
            pass
        await asyncio.shield(self._reaped())

    async def _reaped(self) -> None:
        await self._process.wait()
        await self._errors

    async def _keep_log(self) -> None:
        stream = self._process.stderr
        while stream is not None and (chunk := await stream.read(8192)):
            self._log.add(chunk)


@asynccontextmanager
async def running_trainer(python: Path, folder: Path) -> AsyncIterator[TrainerProcess]:
    """A trainer for the run in `folder`; at the end of the block it is dead, whatever happened."""
    package = find_spec("llama_mapper")
    if package is None or package.origin is None:
        raise ConfigurationError("the package llama_mapper is in no folder, so that no other interpreter can read it")
    root = str(Path(package.origin).parent)
    with BoundedLog(folder / "trainer.log") as log:
        process = await asyncio.create_subprocess_exec(
            str(python),
            "-P",
            "-c",
            _BOOT,
            root,
            _TRAINER,
            str(folder),
            stdin=asyncio.subprocess.PIPE,  # its life line: it closes when this process ends, however it ends
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=trainer_environment(os.environ),
            cwd=folder,
            start_new_session=True,
            limit=LINE_LIMIT,
        )
        trainer = TrainerProcess(process, log)
        try:
            yield trainer
        finally:
            await trainer.kill()
