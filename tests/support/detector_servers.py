"""Detector services as real processes on loopback, whose behaviour a test switches while they run.

Behaviours: `good`, `refuse` (the port is closed), `hang`, `drip`, `reset` (in mid-body), `reset_at_once`, `close`,
`status` (with `status`, `headers`, `body`), `huge` (50 MB; `chunked`), `not_json`, `not_http`, `deep`, `crowded`,
`compressed` (50 MB, unasked), `wrong_schema` (`body`), `nan`, `infinity`, `too_certain`, `score_as_text`, `outside`,
`backwards`, `off_vocabulary`, `empty_label`; `echo` (gives the content back: the `detector_id` says how, `labels`,
`long`, `nonsense` or a status); `flaky` (`probability`, `bad`) and `flapping` (`period_s`, `bad`) are
`good` and the behaviour `bad` by turns.

With any of them: `delay_s` before the answer, `words` (word → label, kept until given anew), `health` (`good`, `bad`,
or `same`, the default: probes are treated like requests), for chat completions `reply`, or `reply_by_word`, and
`models`, the names of those that are served.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.support.servers import free_port

_PROGRAM = Path(__file__).with_name("detector_program.py")


class DetectorServer:
    """One detector service: `url` to call it by, `behave` to switch it, `counted` to see what reached it."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self._port = free_port(in_a_row=2)
        self._words = dict(words)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers; the same after `kill` and `start`."""
        return f"http://127.0.0.1:{self._port}"

    def launch(self) -> None:
        """Begin to start the process; `start` waits for it."""
        command = [sys.executable, str(_PROGRAM), str(self._port), str(self._port + 1)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def start(self) -> None:
        """Run it, and wait until it serves."""
        if self._process is None:
            self.launch()
        assert self._process is not None
        assert self._process.stdout is not None
        if self._process.stdout.readline() != b"ready\n":
            raise AssertionError("the detector server did not start")
        self.behave("good", words=self._words)

    def behave(self, behaviour: str, **how: Any) -> dict[str, Any]:
        """From the next request on, do this. `forget=True` sets the counts to zero. Gives the counts."""
        return self._control("POST", {"behaviour": behaviour, **how})

    def counted(self) -> dict[str, Any]:
        """`connections` accepted and `open`; `requests`, `probes`, `in_flight`, `peak_in_flight`; `last` request."""
        return self._control("GET", None)

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                assert stream is not None
                stream.close()
            self._process = None

    def _control(self, method: str, body: object) -> dict[str, Any]:
        connection = HTTPConnection("127.0.0.1", self._port + 1, timeout=30)
        try:
            connection.request(method, "/", body=None if body is None else json.dumps(body))
            counted: dict[str, Any] = json.loads(connection.getresponse().read())
            return counted
        finally:
            connection.close()


@contextmanager
def detector_server(words: Mapping[str, str] | None = None) -> Iterator[DetectorServer]:
    """A good detector that finds `words` (word → label)."""
    with detector_servers(words or {}) as (server,):
        yield server


@contextmanager
def detector_servers(*words: Mapping[str, str]) -> Iterator[tuple[DetectorServer, ...]]:
    """As many good detectors as there are word lists, started together."""
    servers = tuple(DetectorServer(each) for each in words)
    with ExitStack() as stack:
        for server in servers:
            server.launch()
            stack.callback(server.kill)
        for server in servers:
            server.start()
        yield servers
