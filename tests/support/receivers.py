"""A webhook receiver on loopback that answers as it is told."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANG = 0
"""Instead of a status: take the request and never answer."""


@dataclass
class Receiver:
    """Where it listens, what it was sent, and what it answers: each status once, then the last one for ever."""

    url: str
    answers: list[int]
    location: str = ""
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def wait_for(self, requests: int, limit_s: float = 60.0) -> None:
        """Wait until so many requests have come."""
        until = time.monotonic() + limit_s
        while len(self.got) < requests:
            assert time.monotonic() < until, f"{len(self.got)} of {requests} requests came"
            time.sleep(0.02)


@contextmanager
def receiving(answers: Sequence[int], location: str = "", tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver; redirects go to `location`."""
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            receiver.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
            if status == HANG:
                released.wait(60)
                return
            self.send_response(status)
            if receiver.location:
                self.send_header("location", receiver.location)
            self.end_headers()

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # callers that hang up are part of the tests
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver = Receiver(f"http://127.0.0.1:{server.server_address[1]}", list(answers), location)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        released.set()
        server.shutdown()
        server.server_close()
        thread.join()
