"""OPA's compiler and evaluator behind the REST calls that the product uses; run with a library and a port.

The answers' shapes are those of OPA's server. Every change compiles everything anew, as OPA does, and a change that
does not compile is undone.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

_PLACE = re.compile(r"^(?:\d+ errors? occurred: ?)?(?P<file>.+?):(?P<row>\d+): (?P<code>\w+): (?P<message>.*)$")


class Refused(Exception):
    """What the library says is wrong."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.errors = [_error(line) for line in message.splitlines() if _PLACE.match(line.strip())]


def _error(line: str) -> dict[str, Any]:
    found = _PLACE.match(line.strip())
    assert found is not None
    return {
        "code": found["code"],
        "message": found["message"],
        "location": {"file": found["file"], "row": int(found["row"]), "col": 1},
    }


class Library:
    """The shared library's few calls."""

    def __init__(self, path: str) -> None:
        self._library = library = ctypes.CDLL(path)
        library.OpaNew.restype = ctypes.c_uint64
        library.OpaDestroy.argtypes = [ctypes.c_uint64]
        library.OpaFreeString.argtypes = [ctypes.c_void_p]
        for call in (library.OpaAddPolicy, library.OpaAddData, library.OpaEvalQuery):
            call.restype = ctypes.c_void_p
        text = ctypes.c_char_p
        library.OpaAddPolicy.argtypes = library.OpaAddData.argtypes = [ctypes.c_uint64, text, text]
        library.OpaEvalQuery.argtypes = [ctypes.c_uint64, text, text, ctypes.c_int, ctypes.c_int]

    def engine(self, modules: dict[str, str], data: dict[str, Any]) -> int:
        """A new engine with all of it compiled."""
        handle = int(self._library.OpaNew())
        try:
            for path, source in modules.items():
                self._told(self._library.OpaAddPolicy(handle, path.encode(), source.encode()))
            self._told(self._library.OpaAddData(handle, b"", json.dumps(data).encode()))
            self.query(handle, "x = 1", {})
        except Refused:
            self.drop(handle)
            raise
        return handle

    def drop(self, handle: int) -> None:
        """Free an engine."""
        self._library.OpaDestroy(handle)

    def query(self, handle: int, query: str, facts: object) -> Any:
        """The library's answer to a query."""
        return self._told(self._library.OpaEvalQuery(handle, query.encode(), json.dumps(facts).encode(), 0, 0))

    def _told(self, answer: int | None) -> Any:
        assert answer is not None
        try:
            envelope = json.loads(ctypes.string_at(answer))
        finally:
            self._library.OpaFreeString(answer)
        if envelope.get("error"):
            raise Refused(envelope["error"].get("code", ""), envelope["error"].get("message", ""))
        return envelope


class State:
    """All policies and data of the server."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.lock = threading.Lock()
        self.modules: dict[str, str] = {}
        self.data: dict[str, Any] = {}
        self.engine = library.engine({}, {})

    def change(self, modules: dict[str, str], data: dict[str, Any]) -> None:
        """Take these over if they compile."""
        engine = self.library.engine(modules, data)
        self.library.drop(self.engine)
        self.modules, self.data, self.engine = modules, data, engine

    def with_data(self, path: list[str], value: object) -> dict[str, Any]:
        """All data with `value` at `path`, or without it for None."""
        data: dict[str, Any] = json.loads(json.dumps(self.data))
        at = data
        for name in path[:-1]:
            at = at.setdefault(name, {})
        if value is None:
            at.pop(path[-1], None)
        else:
            at[path[-1]] = value
        return data


class Face(BaseHTTPRequestHandler):
    """The REST calls."""

    state: State
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65_536

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """`/health`."""
        self._answer(200, {})

    def do_PUT(self) -> None:
        """Put a policy or data."""
        body = self._body()
        with self.state.lock:
            kind, rest = self._where()
            try:
                if kind == "policies":
                    self.state.change({**self.state.modules, "/".join(rest): body.decode()}, self.state.data)
                    self._answer(200, {})
                else:
                    self.state.change(self.state.modules, self.state.with_data(rest, json.loads(body)))
                    self._answer(204, None)
            except Refused as refused:
                self._refuse(400, "invalid_parameter", refused)

    def do_DELETE(self) -> None:
        """Delete a policy or data."""
        with self.state.lock:
            kind, rest = self._where()
            try:
                if kind == "policies":
                    if "/".join(rest) not in self.state.modules:
                        self._answer(404, {"code": "resource_not_found", "message": "storage_not_found_error"})
                        return
                    left = {path: source for path, source in self.state.modules.items() if path != "/".join(rest)}
                    self.state.change(left, self.state.data)
                    self._answer(200, {})
                else:
                    self.state.change(self.state.modules, self.state.with_data(rest, None))
                    self._answer(204, None)
            except Refused as refused:
                self._refuse(400, "invalid_parameter", refused)

    def do_POST(self) -> None:
        """Evaluate a document."""
        facts = json.loads(self._body()).get("input")
        with self.state.lock:
            _, rest = self._where()
            reference = "data" + "".join(f"[{json.dumps(name)}]" for name in rest)
            try:
                found = self.state.library.query(self.state.engine, f"x = {reference}", facts)
            except Refused as refused:
                self._refuse(500, "internal_error", refused)
                return
        values = [row["bindings"]["x"] for row in found.get("result") or []]
        self._answer(200, {"result": values[0]} if values else {})

    def _where(self) -> tuple[str, list[str]]:
        _, version, kind, *rest = self.path.split("/")
        assert version == "v1"
        return kind, [unquote(part) for part in rest]

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", "0")))

    def _refuse(self, status: int, code: str, refused: Refused) -> None:
        errors = refused.errors or [{"code": refused.code, "message": str(refused)}]
        self._answer(status, {"code": code, "message": "error(s) occurred", "errors": errors})

    def _answer(self, status: int, value: object) -> None:
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        if body:
            self.send_header("content-type", "application/json")
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Lets many connections wait to be accepted."""

    request_queue_size = 128


def main() -> None:
    """Serve on 127.0.0.1."""
    Face.state = State(Library(sys.argv[1]))
    Server(("127.0.0.1", int(sys.argv[2])), Face).serve_forever()


if __name__ == "__main__":
    main()
