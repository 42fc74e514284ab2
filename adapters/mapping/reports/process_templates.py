"""Templates rendered in processes that end: whatever a template takes, it takes from itself."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_mapper.domain.contracts.reports import TemplateFormat
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError, TemplateError
from llama_mapper.domain.mapping.reports.ports import Trial

_BOOTSTRAP = """\
import json, sys; start = json.loads(sys.argv[1]); sys.path[:] = start.pop("path")
from llama_mapper.adapters.mapping.reports.template_child import main; main(**start)
"""
_START_S = 30.0
"""Seconds that starting may take on a busy machine; the template's own time counts from then on."""
_BYTES_A_CHARACTER = 12  # a character outside the first plane, as JSON in ASCII
_BESIDE_TEXT = 1024 * 1024
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateLimits:
    """What one template may take, and how many are rendered at one time.

    Whoever waits longer than `wait_s` for a turn is refused.
    """

    timeout_s: float = 5.0
    memory_bytes: int = 512 * 1024 * 1024
    output_characters: int = 4 * 1024 * 1024
    at_once: int = 2
    wait_s: float = 10.0


class _Lost(Exception):
    """The process ended before it answered."""


class ProcessTemplates:
    """Keeps `TemplateEngine`: one fresh process a template, so that nothing of one tenant is there for the next."""

    def __init__(self, limits: TemplateLimits) -> None:
        self._limits = limits
        self._free = asyncio.Semaphore(limits.at_once)

    async def render(self, text: str, form: TemplateFormat, data: Mapping[str, Any]) -> str:
        """See `TemplateEngine.render`."""
        answer = await self._answer("render", text, form, data)
        if (limit := answer.get("limit")) is not None:
            raise TemplateError(f"the template {self._limit(limit)}", ErrorCode.TEMPLATE_LIMIT)
        if "text" not in answer:
            raise TemplateError(f"the template breaks on this source: {answer['failed']}")
        rendered: str = answer["text"]
        return rendered

    async def tried(self, text: str, form: TemplateFormat, data: Mapping[str, Any]) -> Trial:
        """See `TemplateEngine.tried`."""
        answer = await self._answer("try", text, form, data)
        if "text" in answer:
            return Trial(text=answer["text"])
        if "problems" in answer:
            return Trial(problems=tuple((str(where), str(what)) for where, what in answer["problems"]))
        if (limit := answer.get("limit")) is not None:
            return Trial(problems=(("text", self._limit(limit)),))
        where, _, what = answer["failed"].partition(": ")
        return Trial(problems=((where, f"{what}, where everything that a report can have is there"),))

    def _limit(self, limit: str) -> str:
        if limit == "time":
            return f"takes longer than {self._limits.timeout_s:g} s"
        if limit == "output":
            return f"writes more than {self._limits.output_characters} characters"
        return f"takes more memory than {self._limits.memory_bytes // 1024 // 1024} MiB, or breaks its process"

    async def _answer(self, op: str, text: str, form: TemplateFormat, data: Mapping[str, Any]) -> dict[str, Any]:
        message = {
            "op": op,
            "text": text,
            "format": form.value,
            "data": data,
            "output_limit": self._limits.output_characters,
        }
        body = await asyncio.to_thread(lambda: json.dumps(message).encode())
        try:
            async with asyncio.timeout(self._limits.wait_s):
                await self._free.acquire()
        except TimeoutError:
            raise _busy("too many reports are being made") from None
        try:
            return await self._asked(body)
        finally:
            self._free.release()

    async def _asked(self, body: bytes) -> dict[str, Any]:
        start = {
            "path": _import_path(),
            # For the case that nobody is left to end the process.
            "cpu_s": math.ceil(self._limits.timeout_s) + 1,
            "memory_bytes": self._limits.memory_bytes,
        }
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable or "python3", "-P", "-X", "utf8", "-c", _BOOTSTRAP, json.dumps(start)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={},
            )
        except OSError as error:
            raise _busy("no process could be started to render a template") from error
        try:
            return await self._conversation(process, body)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _conversation(self, process: asyncio.subprocess.Process, body: bytes) -> dict[str, Any]:
        to, out = process.stdin, process.stdout
        if to is None or out is None:
            raise _busy("a process to render a template has no pipes")
        try:
            async with asyncio.timeout(_START_S):
                await out.readexactly(1)
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            raise _busy("a process to render a template did not start") from error
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                to.write(body)
                await to.drain()
                to.close()
                said = await self._read(out)
            answer: dict[str, Any] = await asyncio.to_thread(json.loads, said)
        except TimeoutError:
            return {"limit": "time"}
        except (OSError, ValueError, _Lost):
            return {"limit": "memory"}
        return answer

    async def _read(self, out: asyncio.StreamReader) -> bytes:
        most = self._limits.output_characters * _BYTES_A_CHARACTER + _BESIDE_TEXT
        said = bytearray()
        while chunk := await out.read(_CHUNK):
            said += chunk
            if len(said) > most:
                raise _Lost
        return bytes(said)


def _import_path() -> list[str]:
    return [str(Path(entry).absolute()) for entry in sys.path if isinstance(entry, str)]


def _busy(message: str) -> ServiceError:
    return ServiceError(message, ErrorCode.SERVICE_UNAVAILABLE, True, retry_after_s=1.0)
