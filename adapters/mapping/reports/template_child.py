"""The program of a process that renders one template and ends. It is started by `process_templates.py`.

It reads one message as JSON and writes one. Before that its computing time, memory, files and processes are bounded by
the system, since a template can take any amount of them in a single step that nothing in Python interrupts.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys

from llama_mapper.adapters.mapping.reports.sandbox import answer

READY = b"r"


def main(cpu_s: int, memory_bytes: int) -> None:
    """Say that it is ready, take the message, answer, end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    os.write(1, READY)
    sys.stdout.buffer.write(json.dumps(answer(json.load(sys.stdin.buffer))).encode())
    sys.stdout.buffer.flush()
    os._exit(0)
