"""A process that has imported the command line, and forks for each command: `fork_server.py SOCKET`.

To import everything takes a command longer than to do its work. A forked one is a process like any other, with its own
arguments, environment, folder, streams and exit status. It ends when its standard input does.

A client sends one line of JSON (`arguments`, `environment`, `folder`) with three file descriptors, and gets the
process's number, and its exit status when it has ended, a line each.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import sys
import threading

# What nearly every command needs. Nothing of it does anything when it is imported, or starts a thread.
_IMPORTED = (
    "aiosqlite",
    "alembic.command",
    "jinja2",
    "prometheus_client",
    "rich.console",
    "rich.progress",
    "rich.table",
    "sqlalchemy.dialects.sqlite.aiosqlite",
    "structlog",
    "uvloop",
    "llama_mapper.entrypoints.cli.main",
    "llama_mapper.entrypoints.containers.commands",
    "llama_mapper.entrypoints.containers.root",
    "llama_mapper.entrypoints.http.services",
)
_MOST_BYTES = 1 << 20


def serve(place: str) -> bool:
    """Answer until nobody needs it any more: False. In a process that was forked to carry out a command: True."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen(64)
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return False
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                return _attend(connection)
            connection.close()


def _attend(connection: socket.socket) -> bool:
    text, descriptors = b"", []
    while not text.endswith(b"\n"):
        part, received, _, _ = socket.recv_fds(connection, _MOST_BYTES, 3)
        if not part:
            return False
        text += part
        descriptors += received
    asked = json.loads(text)
    if (child := os.fork()) == 0:
        connection.close()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["folder"])
        sys.argv[:] = asked["arguments"]
        return True
    for descriptor in descriptors:
        os.close(descriptor)
    connection.sendall(b"%d\n" % child)
    _, status = os.waitpid(child, 0)
    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    return False


if __name__ == "__main__":
    for module in _IMPORTED:
        importlib.import_module(module)
    assert threading.active_count() == 1, "a process with threads cannot be forked"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if serve(sys.argv[1]):
        from llama_mapper.entrypoints.cli.main import main

        main()
