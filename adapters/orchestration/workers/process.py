"""What runs inside a worker process: loads scanners one after the other, and answers jobs meanwhile.

It is started by `worker_handle.py` with its standard input as a lifeline (it ends when that closes, even in the middle
of a scan), its standard output and error on the null device (a library may print content), and one socket for frames.

The main thread scans; a second one loads. No scanner is used while it loads.
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import select
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Sequence

from llama_mapper.adapters.orchestration.scanners.scanner import ScannerNotInstalled, TextScanner
from llama_mapper.adapters.orchestration.workers.frames import (
    FrameReader,
    Kind,
    decode_job,
    encode,
    encode_inspection,
)

_RECEIVE_BYTES = 1 << 16
_ALARM_GRACE_S = 1.0
_ORPHAN_CHECK_S = 1.0
_QUICK_SWITCH_S = 0.0005


def build_scanner(factory: str) -> TextScanner:
    """Call the factory that an import string, `package.module:name`, points to."""
    module, _, name = factory.partition(":")
    scanner: TextScanner = getattr(importlib.import_module(module), name)()
    return scanner


def main(fd: int, factories: Sequence[str], skip: Sequence[int], hard_limit_s: float) -> None:
    """Serve the socket `fd` until it or the lifeline closes. `skip` are indexes of `factories` not to load."""
    try:
        _settle(fd)
        _Worker(socket.socket(fileno=fd), factories, frozenset(skip), hard_limit_s + _ALARM_GRACE_S).run()
    finally:
        os._exit(0)  # no library's exit handler gets a say


def _settle(fd: int) -> None:
    # Ctrl-C and a service supervisor's SIGTERM reach the whole process group. The owner decides what they mean, and may
    # still want answers while it drains; this process goes when the owner lets go of the lifeline.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # The kernel's default action for the alarm ends the process even if a library holds the interpreter's lock.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold content
    os.set_inheritable(fd, False)
    threading.Thread(target=_watch_lifeline, args=(os.getppid(),), name="lifeline", daemon=True).start()


def _watch_lifeline(owner: int) -> None:
    # A fork of the owner may keep the pipe open after the owner's death, so the parent's id is looked at as well.
    while not select.select([0], [], [], _ORPHAN_CHECK_S)[0]:
        if os.getppid() != owner:
            break
    os._exit(0)


class _Worker:
    def __init__(self, channel: socket.socket, factories: Sequence[str], skip: frozenset[int], alarm_s: float) -> None:
        self._channel = channel
        self._factories = factories
        self._skip = skip
        self._alarm_s = alarm_s
        self._sending = threading.Lock()
        self._reader = FrameReader()
        self._scanners: dict[int, TextScanner] = {}
        self._jobs: deque[tuple[int, tuple[int, ...], str]] = deque()
        self._cancelled: set[tuple[int, int]] = set()

    def run(self) -> None:
        self._channel.setblocking(True)
        threading.Thread(target=self._load, name="loader", daemon=True).start()
        while self._receive(0):
            while self._jobs:
                frame_id, indexes, text = self._jobs.popleft()
                for index in indexes:
                    self._receive(socket.MSG_DONTWAIT)
                    self._answer(frame_id, index, text)
                self._cancelled.clear()
                del text
            signal.setitimer(signal.ITIMER_REAL, 0.0)

    def _receive(self, flags: int) -> bool:
        try:
            data = self._channel.recv(_RECEIVE_BYTES, flags)
        except BlockingIOError:
            return True
        for kind, frame_id, index, body in self._reader.feed(data):
            if kind == Kind.JOB:
                self._jobs.append((frame_id, *decode_job(index, body)))
            elif kind == Kind.CANCEL:
                self._cancelled.add((frame_id, index))
        return bool(data)

    def _answer(self, frame_id: int, index: int, text: str) -> None:
        if (frame_id, index) in self._cancelled:
            self._send(encode(Kind.SKIPPED, frame_id, index))
            return
        signal.setitimer(signal.ITIMER_REAL, self._alarm_s)
        try:
            reply = encode(Kind.RESULT, frame_id, index, encode_inspection(self._scanners[index].scan(text), len(text)))
        except BaseException as error:  # SystemExit too: one library's exit is not the end of the others
            reply = encode(Kind.FAILED, frame_id, index, _class_name(error))
        self._send(reply)

    def _send(self, frame: bytes) -> None:
        with self._sending:
            self._channel.sendall(frame)

    def _load(self) -> None:
        interval = sys.getswitchinterval()
        sys.setswitchinterval(_QUICK_SWITCH_S)  # loading yields to the scanners that are ready
        gc.disable()  # imports and models would set off one full collection after the other, to find nothing
        report = b""
        for index, factory in enumerate(self._factories):
            if index not in self._skip:
                self._send(report + encode(Kind.LOADING, 0, index))
                report = self._load_one(index, factory)
        gc.collect()
        gc.freeze()  # models are never garbage: later collections need not visit them
        gc.enable()
        sys.setswitchinterval(interval)
        self._send(report)  # only now, for the collection holds up every scan

    def _load_one(self, index: int, factory: str) -> bytes:
        try:
            scanner = build_scanner(factory)
            scanner.load()
        except ScannerNotInstalled as error:
            return encode(Kind.NOT_LOADED, 0, index, f"not installed: {error}"[:300].encode())
        except BaseException as error:
            return encode(Kind.NOT_LOADED, 0, index, b"failed to load (" + _class_name(error) + b")")
        self._scanners[index] = scanner
        return encode(Kind.LOADED, 0, index)


def _class_name(error: BaseException) -> bytes:
    # The name alone: a library's message may quote the text that it choked on.
    return type(error).__name__[:100].encode("utf-8", "replace")
