"""A detector service that behaves as it is told, as a program: `python detector_program.py PORT CONTROL_PORT`.

It needs the standard library alone and starts in a tenth of a second. It speaks the FMS detector API, Presidio's,
OpenAI's moderation and chat completion APIs and a plain JSON one (`POST /detect`), told apart by path. On the control
port `POST /` takes the behaviour as JSON and `GET /` tells what was counted. It ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import math
import random
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Found = dict[str, Any]
_PHRASES = {200: "OK", 302: "Found", 404: "Not Found", 429: "Too Many Requests", 503: "Service Unavailable"}
_HUGE = 50 * 1024 * 1024


class Service:
    """What it is told to do, and what it counted."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.listener: asyncio.Server | None = None
        self.writers: set[asyncio.StreamWriter] = set()
        self.told: dict[str, Any] = {}
        self.connections = self.requests = self.probes = self.in_flight = self.peak_in_flight = 0
        self.last: dict[str, Any] = {}
        self.began = time.time()

    @property
    def behaviour(self) -> str:
        """What to do with the next request; `flaky` and `flapping` decide here."""
        told: str = self.told.get("behaviour", "good")
        bad: str = self.told.get("bad", "status")
        if told == "flaky":
            return bad if random.random() < self.told.get("probability", 0.5) else "good"
        if told == "flapping":
            half = self.told.get("period_s", 1.0) / 2
            return bad if int((time.time() - self.began) / half) % 2 else "good"
        return told

    async def tell(self, told: dict[str, Any]) -> None:
        """Take on a behaviour."""
        if told.pop("forget", False):
            self.connections = self.requests = self.probes = self.peak_in_flight = 0
            self.last = {}
        self.told = {"words": self.told.get("words", {})} | told
        self.began = time.time()
        if self.told.get("behaviour") == "refuse":
            if self.listener is not None:
                self.listener.close()
                self.listener = None
            for writer in tuple(self.writers):
                _reset(writer)
        elif self.listener is None:
            self.listener = await asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=1024)

    def counted(self) -> dict[str, Any]:
        """For the control port."""
        names = ("connections", "requests", "probes", "in_flight", "peak_in_flight", "last")
        return {name: getattr(self, name) for name in names} | {"open": len(self.writers), "told": self.told}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection to the detector."""
        self.connections += 1
        self.writers.add(writer)
        try:
            while True:
                self.last = request = await _request(reader)
                await self._answer(request, reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def _answer(
        self, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        probe = request["method"] != "POST"
        self.probes += probe
        self.requests += not probe
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        try:
            health = self.told.get("health", "same") if probe else "same"
            behaviour = {"same": self.behaviour, "good": "good"}.get(health, "status")
            if delay_s := self.told.get("delay_s", 0.0):
                await _pause(reader, delay_s)
            await _ACTS[behaviour](Exchange(self, request, reader, writer))
        finally:
            self.in_flight -= 1

    def found(self, text: str) -> list[Found]:
        """Every occurrence of the words; offsets are code points, for that is what Python counts."""
        found = []
        for word, label in self.told["words"].items():
            at = text.find(word)
            while at >= 0:
                found.append({"label": label, "start": at, "end": at + len(word), "score": 0.9, "word": word})
                at = text.find(word, at + 1)
        return sorted(found, key=lambda one: (one["start"], one["end"]))


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, and what to answer it with."""

    service: Service
    request: dict[str, Any]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def _pause(reader: asyncio.StreamReader, seconds: float) -> None:
    """Wait, unless the caller goes away meanwhile."""
    try:
        await asyncio.wait_for(reader.read(1), seconds)
    except TimeoutError:
        return
    raise ConnectionError


async def _request(reader: asyncio.StreamReader) -> dict[str, Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    content = await reader.readexactly(int(headers.get("content-length", 0)))
    return {"method": method, "path": path, "headers": headers, "body": json.loads(content) if content else None}


def _send(writer: asyncio.StreamWriter, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, 'Status')}", f"content-length: {len(body)}"]
    lines += [
        f"{name}: {value}" for name, value in ({"content-type": "application/json"} | dict(headers or {})).items()
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset instead of a goodbye."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _hang(exchange: Exchange) -> None:
    await _pause(exchange.reader, 3600)


async def _drip(exchange: Exchange) -> None:
    exchange.writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n[")
    while True:
        exchange.writer.write(b" ")
        await exchange.writer.drain()
        await asyncio.sleep(0.02)


async def _reset_in_body(exchange: Exchange) -> None:
    exchange.writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n[[")
    await exchange.writer.drain()
    await asyncio.sleep(0.02)
    _reset(exchange.writer)
    raise ConnectionError


async def _reset_at_once(exchange: Exchange) -> None:
    _reset(exchange.writer)
    raise ConnectionError


async def _close(exchange: Exchange) -> None:
    raise ConnectionError


async def _status(exchange: Exchange) -> None:
    told = exchange.service.told
    body = json.dumps(told.get("body", {"code": 0, "message": "told to fail"})).encode()
    _send(exchange.writer, told.get("status", 500), body, told.get("headers"))


async def _huge(exchange: Exchange) -> None:
    piece = b" " * 65536
    chunked = exchange.service.told.get("chunked", False)
    exchange.writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
    exchange.writer.write(b"transfer-encoding: chunked\r\n\r\n" if chunked else b"content-length: %d\r\n\r\n" % _HUGE)
    for _ in range(_HUGE // len(piece)):
        exchange.writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        await exchange.writer.drain()
    if chunked:
        exchange.writer.write(b"0\r\n\r\n")


async def _not_json(exchange: Exchange) -> None:
    _send(exchange.writer, 200, b"<html>it works</html>", {"content-type": "text/html"})


async def _not_http(exchange: Exchange) -> None:
    exchange.writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    await exchange.writer.drain()
    raise ConnectionError


async def _deep(exchange: Exchange) -> None:
    _send(exchange.writer, 200, b"[" * 200_000 + b"]" * 200_000)


async def _crowded(exchange: Exchange) -> None:
    _send(exchange.writer, 200, b"[" + b"[]," * 300_000 + b"[]]")


async def _compressed(exchange: Exchange) -> None:
    _send(exchange.writer, 200, gzip.compress(b"[[" + b" " * _HUGE + b"]]"), {"content-encoding": "gzip"})


async def _wrong_schema(exchange: Exchange) -> None:
    _send(exchange.writer, 200, json.dumps(exchange.service.told.get("body", {"results": "none", "ok": True})).encode())


async def _echo(exchange: Exchange) -> None:
    """Give the content back, in the way that the header `detector-id` says, and in a header in any case."""
    if exchange.request["method"] != "POST":
        _send(exchange.writer, 200, b"{}")
        return
    text = exchange.request["body"]["contents"][0]
    headers = {"x-echo": text[:1000], "warning": f'199 - "{text[:200]}"'}
    match exchange.request["headers"]["detector-id"]:
        case "labels":
            pieces = [text[:256], text[:60].lower(), "".join(text.split())[:60], *text.split()[:8]]
            labels = [form for piece in pieces for form in (piece, f"PERSON:{piece}"[:256])]
            found = [
                {"start": 0, "end": 1, "text": text, "detection": label, "detection_type": text[:99], "score": 0.9}
                for label in labels
            ]
            _send(exchange.writer, 200, json.dumps([found]).encode(), headers)
        case "long":
            found = [{"start": 0, "end": 1, "detection": text * 20, "score": text[:50]}]
            _send(exchange.writer, 200, json.dumps([found]).encode(), headers)
        case "nonsense":
            _send(exchange.writer, 200, text.encode(), headers)
        case status:
            _send(exchange.writer, int(status), json.dumps({"code": int(status), "message": text}).encode(), headers)


def _far(one: Found) -> Found:
    return one | {"start": one["start"] + 1_000_000, "end": one["end"] + 1_000_000}


_TAMPERED: dict[str, Callable[[Found], Found]] = {
    "good": lambda one: one,
    "nan": lambda one: one | {"score": math.nan},
    "infinity": lambda one: one | {"score": math.inf},
    "too_certain": lambda one: one | {"score": 17.0},
    "score_as_text": lambda one: one | {"score": "high"},
    "outside": _far,
    "backwards": lambda one: one | {"start": one["end"], "end": one["start"]},
    "off_vocabulary": lambda one: one | {"label": "a-label-nobody-declared"},
    "empty_label": lambda one: one | {"label": ""},
}


def _tampered(behaviour: str) -> Callable[[Exchange], Any]:
    change = _TAMPERED[behaviour]

    async def act(exchange: Exchange) -> None:
        path, body = exchange.request["path"], exchange.request["body"]
        if exchange.request["method"] != "POST":
            known = path in ("/health", "/v1/models", "/", "/detect")
            served = [{"id": model} for model in exchange.service.told.get("models", ())]
            listed = json.dumps({"object": "list", "data": served}).encode()
            _send(exchange.writer, 200 if known else 404, listed)
            return
        answer = _ROUTES.get(path)
        if answer is None:
            _send(exchange.writer, 404, b'{"code": 404, "message": "no such route"}')
            return
        content = answer(
            body, lambda text: [change(one) for one in exchange.service.found(text)], exchange.service.told
        )
        _send(exchange.writer, 200, json.dumps(content, ensure_ascii=False).encode())

    return act


_ACTS = {
    "hang": _hang,
    "drip": _drip,
    "reset": _reset_in_body,
    "reset_at_once": _reset_at_once,
    "close": _close,
    "status": _status,
    "huge": _huge,
    "not_json": _not_json,
    "not_http": _not_http,
    "deep": _deep,
    "echo": _echo,
    "crowded": _crowded,
    "compressed": _compressed,
    "wrong_schema": _wrong_schema,
} | {name: _tampered(name) for name in _TAMPERED}

Finder = Callable[[str], list[Found]]


def _detections(found: list[Found]) -> list[dict[str, Any]]:
    return [{"detection": one["label"], "detection_type": "told", "score": one["score"]} for one in found]


def _contents(body: Any, find: Finder, told: dict[str, Any]) -> Any:
    return [
        [
            {"start": one["start"], "end": one["end"], "text": one["word"], **detection}
            for one, detection in zip(found, _detections(found), strict=True)
        ]
        for found in map(find, body["contents"])
    ]


def _messages_text(body: Any) -> str:
    return "\n".join(message["content"] for message in body["messages"])


def _moderation(body: Any, find: Finder, told: dict[str, Any]) -> Any:
    scores = dict.fromkeys(told["words"].values(), 0.01) | {one["label"]: one["score"] for one in find(body["input"])}
    flags = {label: score != 0.01 for label, score in scores.items()}
    result = {"flagged": any(flags.values()), "categories": flags, "category_scores": scores}
    return {"id": "modr-1", "model": body["model"], "results": [result]}


def _completion(body: Any, find: Finder, told: dict[str, Any]) -> Any:
    reply = told.get("reply", told.get("clean_reply", "safe"))
    if "reply_by_word" in told:
        text = body["messages"][-1]["content"]
        reply = next((said for word, said in told["reply_by_word"].items() if word in text), reply)
    message = {"role": "assistant", "content": reply}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": told.get("logprobs")}
    usage = {"prompt_tokens": 50, "completion_tokens": 5, "total_tokens": 55}
    return {"id": "c-1", "object": "chat.completion", "model": body["model"], "choices": [choice], "usage": usage}


_ROUTES: dict[str, Callable[[Any, Finder, dict[str, Any]], Any]] = {
    "/api/v1/text/contents": _contents,
    "/api/v1/text/chat": lambda body, find, told: _detections(find(_messages_text(body))),
    "/api/v1/text/context/doc": lambda body, find, told: _detections(find(body["content"])),
    "/api/v1/text/generation": lambda body, find, told: _detections(find(body["generated_text"])),
    "/analyze": lambda body, find, told: [
        {"entity_type": one["label"], "start": one["start"], "end": one["end"], "score": one["score"]}
        for one in find(body["text"])
    ],
    "/v1/moderations": _moderation,
    "/v1/chat/completions": _completion,
    "/detect": lambda body, find, told: {"found": find(body["text"])},
}


async def _main(port: int, control_port: int) -> None:
    service = Service(port)

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _request(reader)
        if request["method"] == "POST":
            await service.tell(request["body"])
        _send(writer, 200, json.dumps(service.counted()).encode())
        await writer.drain()
        writer.close()

    await service.tell({})
    async with await asyncio.start_server(control, "127.0.0.1", control_port):
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2])))
    else:
        uvloop.run(_main(int(sys.argv[1]), int(sys.argv[2])))
