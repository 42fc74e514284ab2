"""The owner's end of one worker process: starts it, sends it jobs, hears its answers, ends it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from llama_mapper.adapters.orchestration.workers.frames import (
    BrokenStream,
    FrameReader,
    Kind,
    decode_inspection,
    encode,
    encode_job,
)
from llama_mapper.domain.orchestration.ports import DetectorFailed, DetectorUnavailable, Inspection

_BOOTSTRAP = """\
import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)
import json, sys; start = json.loads(sys.argv[1]); sys.path[:] = start.pop("path")
from llama_mapper.adapters.orchestration.workers.process import main; main(**start)
"""
_OWN_SETTINGS = "LLAMA_MAPPER_"
_ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_REAP_EVERY_S = 0.01


@dataclass(slots=True, eq=False)
class Job:
    """One scanner to run over one text, and who waits for it. `cost_ms` is an estimate."""

    index: int
    text: str
    waiter: asyncio.Future[Inspection]
    cost_ms: float
    frame_id: int = 0
    handle: WorkerHandle | None = None


class WorkerHandle(asyncio.Protocol):
    """One live worker process. It calls `on_free` when it has answered all it was sent, `on_loaded` when a scanner has
    been loaded or turned out not to load."""

    def __init__(self, hard_limit_s: float, on_free: Callable[[], None], on_loaded: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._hard_limit_s = hard_limit_s
        self._on_free = on_free
        self._on_loaded = on_loaded
        self._reader = FrameReader()
        self._transport: asyncio.WriteTransport | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._frame_id = 0
        self._began = 0.0
        self._limit_timer: asyncio.TimerHandle | None = None
        self.running: deque[Job] = deque()
        """What was sent and is not answered; the first one is being scanned."""
        self.ready: set[int] = set()
        self.not_loaded: dict[int, str] = {}
        self.loading: int | None = None
        self.ended_because: str | None = None
        """Why this side ended it, if it did."""
        self.lost: asyncio.Future[None] = self._loop.create_future()
        """Done once nothing more will come from it."""

    @classmethod
    async def start(
        cls,
        factories: Sequence[str],
        skip: Sequence[int],
        hard_limit_s: float,
        *,
        on_free: Callable[[], None],
        on_loaded: Callable[[], None],
    ) -> WorkerHandle:
        """Start a process with this process's import path; raise `OSError` if the system refuses one."""
        handle = cls(hard_limit_s, on_free, on_loaded)
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                handle._process = _spawn(theirs.fileno(), factories, skip, hard_limit_s)
            ours.setblocking(False)
            await handle._loop.create_unix_connection(lambda: handle, sock=ours)
        except BaseException:
            ours.close()
            await handle.end()
            raise
        return handle

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid if self._process is not None else 0

    @property
    def idle(self) -> bool:
        """Whether it can be sent a frame."""
        return not self.running and self._transport is not None and self.ended_because is None and not self.lost.done()

    def send(self, jobs: Sequence[Job]) -> None:
        """Have it run `jobs`, in order; all have the same text. It must be idle."""
        if self._transport is None:
            raise RuntimeError("the worker is not connected")
        self._frame_id = frame_id = (self._frame_id + 1) & 0xFFFFFFFF
        for job in jobs:
            job.frame_id, job.handle = frame_id, self
        self.running.extend(jobs)
        self._began = self._loop.time()
        if self._limit_timer is None:
            self._limit_timer = self._loop.call_later(self._hard_limit_s, self._check_limit)
        self._transport.write(encode_job(frame_id, [job.index for job in jobs], jobs[0].text))

    def cancel(self, job: Job) -> None:
        """Drop `job` if it has not begun; one that is being scanned runs on, unheard."""
        if self._transport is not None and self.running and self.running[0] is not job:
            self._transport.write(encode(Kind.CANCEL, job.frame_id, job.index))

    def kill(self, because: str) -> None:
        """End the process now; `lost` follows."""
        if self.ended_because is None:
            self.ended_because = because
        if self._process is not None:
            self._process.kill()
        if self._transport is not None:
            self._transport.abort()

    async def end(self, grace_s: float = 0.0) -> None:
        """Let it go, kill it if it is not gone after `grace_s`, and collect what the system keeps of it."""
        if self._limit_timer is not None:
            self._limit_timer.cancel()
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await _gone(process, grace_s)
        finally:
            process.kill()
            if self._transport is not None:
                self._transport.abort()
            await _gone(process, 5.0)

    def how_it_ended(self) -> str:
        """Why it is gone, for people to read."""
        if self.ended_because is not None:
            return self.ended_because
        code = self._process.poll() if self._process is not None else None
        if code is None:
            return "its worker process closed its channel"
        return f"its worker process {f'was ended by signal {-code}' if code < 0 else f'exited with code {code}'}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of `asyncio.Protocol`."""
        # uvloop's transports do not derive from asyncio.WriteTransport.
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of `asyncio.Protocol`."""
        if not self.lost.done():
            self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Part of `asyncio.Protocol`."""
        answered = False
        try:
            for kind, frame_id, index, body in self._reader.feed(data):
                if Kind.RESULT <= kind <= Kind.SKIPPED:
                    self._answered(kind, frame_id, index, body)
                    answered = True
                else:
                    self._loaded(kind, index, body)
        except BrokenStream:
            self.kill("its worker process sent what cannot be read")
            return
        if answered and not self.running:
            self._on_free()

    def _answered(self, kind: int, frame_id: int, index: int, body: bytes) -> None:
        job = self.running[0] if self.running else None
        if job is None or job.index != index or job.frame_id != frame_id:
            raise BrokenStream("an answer to nothing that was asked")
        inspection = decode_inspection(body) if kind == Kind.RESULT else None
        self.running.popleft()
        self._began = self._loop.time()
        waiter = job.waiter
        if waiter.done():
            return
        if inspection is not None:
            waiter.set_result(inspection)
        elif kind == Kind.FAILED:
            waiter.set_exception(DetectorFailed(body.decode("utf-8", "replace")))
        else:
            waiter.set_exception(DetectorUnavailable("it was cancelled"))

    def _loaded(self, kind: int, index: int, body: bytes) -> None:
        if kind == Kind.LOADING:
            self.loading = index
            return
        self.loading = None
        if kind == Kind.LOADED:
            self.ready.add(index)
        elif kind == Kind.NOT_LOADED:
            self.not_loaded[index] = body.decode("utf-8", "replace")
        else:
            raise BrokenStream("a worker sent an owner's frame")
        self._on_loaded()

    def _check_limit(self) -> None:
        # One timer while there is work, instead of one a job: it looks how old the running job is, and looks again.
        self._limit_timer = None
        if not self.running:
            return
        left = self._began + self._hard_limit_s - self._loop.time()
        if left > 0:
            self._limit_timer = self._loop.call_later(left, self._check_limit)
        else:
            self.kill(f"a scan in its worker process ran longer than {self._hard_limit_s:g} s")


def _spawn(fd: int, factories: Sequence[str], skip: Sequence[int], hard_limit_s: float) -> subprocess.Popen[bytes]:
    start = {
        "path": [str(Path(entry).absolute()) for entry in sys.path if isinstance(entry, str)],
        "fd": fd,
        "factories": list(factories),
        "skip": list(skip),
        "hard_limit_s": hard_limit_s,
    }
    # The libraries in there need none of our secrets, and a worker is meant to be one core's worth of load.
    environment = _ONE_CORE | {name: text for name, text in os.environ.items() if not name.startswith(_OWN_SETTINGS)}
    return subprocess.Popen(  # noqa: S603 - our own interpreter and program
        [sys.executable or "python3", "-P", "-c", _BOOTSTRAP, json.dumps(start)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(fd,),
        env=environment,
        bufsize=0,
    )


async def _gone(process: subprocess.Popen[bytes], within_s: float) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    # Polling needs no SIGCHLD handler, no watcher thread and no particular loop; it takes one or two rounds.
    while process.poll() is None and loop.time() < until:  # noqa: ASYNC110 - a process has no event
        await asyncio.sleep(_REAP_EVERY_S)
