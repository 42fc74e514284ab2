"""Requests wait here and are written together; Triton hands them over one by one, as it does to vLLM."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triton_models.decoding import Decoder, Row

QUEUE_FULL = "Exceeds maximum queue size"  # Triton's own words
OUT_OF_MEMORY = "out of memory"


class Writer:
    """One thread that writes what waits, the oldest first, and with it what asks for the same adapter."""

    def __init__(self, decoder: Decoder, *, most_together: int, most_waiting: int, gather_s: float) -> None:
        self._decoder, self._together, self._most = decoder, most_together, most_waiting
        self._gather_s = gather_s
        self._waiting: deque[Row] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="writer")
        self._thread.start()

    def add(self, row: Row) -> None:
        """Let it be written when its turn comes."""
        with self._changed:
            if len(self._waiting) < self._most:
                self._waiting.append(row)
                self._changed.notify()
                return
        row.listener.failed(QUEUE_FULL, unavailable=True)

    def close(self) -> None:
        """Write what waits, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while not (self._closed and not self._waiting):
            rows = self._next()
            try:
                if rows:
                    self._decoder.write(rows, rows[0].sampling.lora_name)
            except Exception as error:  # whatever it is, the requests must be answered and the next ones written
                logging.getLogger(__name__).exception("a batch of %d requests failed", len(rows))
                for row in rows:
                    row.listener.failed(f"Error generating stream: {reason(error)}")

    def _next(self) -> list[Row]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            few = 0 < len(self._waiting) < self._together
        if few and not self._closed:
            time.sleep(self._gather_s)  # those asked together arrive one after the other
        with self._changed:
            return self._pick()

    def _pick(self) -> list[Row]:
        rows: list[Row] = []
        others: deque[Row] = deque()
        while self._waiting and len(rows) < self._together:
            row = self._waiting.popleft()
            if row.listener.gone():
                row.listener.failed("Request was cancelled")
            elif row.until is not None and time.monotonic() > row.until:
                row.listener.failed("Request timeout expired", unavailable=True)
            elif rows and row.sampling.lora_name != rows[0].sampling.lora_name:
                others.append(row)
            else:
                rows.append(row)
        self._waiting.extendleft(reversed(others))
        return rows


def reason(error: Exception) -> str:
    """Why a batch failed, without anything that a request said."""
    text = str(error).lower()
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return OUT_OF_MEMORY
    return type(error).__name__
