"""A million detector outputs from a Parquet file, through the command line: time and memory of the process."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from bench.statistics_of import show, verdict

ROWS = 1_000_000
_MEMORY_BUDGET_MB = 500
_PART = 100_000


async def run() -> None:
    """Map them once; the floor is reading the file and nothing else."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "outputs.parquet"
        _write(source)
        began = time.perf_counter()
        _read(source)
        floor = time.perf_counter() - began
        began = time.perf_counter()
        command = ("map", str(source), "--output", str(folder / "mapped.parquet"), "--framework", "soc2")
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("llama-mapper")), *command, "--data-dir", str(folder / "data")
        )
        _, status, usage = await asyncio.to_thread(os.wait4, process.pid, 0)
        if status:
            raise SystemExit("the run failed")
        seconds, peak_mb = time.perf_counter() - began, usage.ru_maxrss / 1024
        show(f"{ROWS:,} outputs, Parquet to Parquet", f"{seconds:.1f} s", f"{ROWS / seconds:,.0f}/s")
        show("floor: reading the rows as Python objects", f"{floor:.1f} s", f"ratio {seconds / floor:.1f}")
        show("memory at its highest", f"{peak_mb:.0f} MB", verdict(peak_mb, _MEMORY_BUDGET_MB))


def _write(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from llama_mapper.adapters.platform.catalogue_files import load_raw_catalogue
    from llama_mapper.domain.mapping.catalogue.vocabulary import known_labels

    chosen = random.Random(7)
    known = [(label.key.vendor, label.key.label) for label in known_labels(load_raw_catalogue().vocabularies)]
    schema = pa.schema([("vendor", pa.string()), ("label", pa.string()), ("score", pa.float64())])
    with pq.ParquetWriter(path, schema) as writer:
        for _ in range(0, ROWS, _PART):
            labels = chosen.choices(known, k=_PART)
            columns = [
                [vendor for vendor, _ in labels],
                [label for _, label in labels],
                [chosen.random() for _ in labels],
            ]
            writer.write_table(pa.table(dict(zip(schema.names, columns, strict=True)), schema=schema))


def _read(path: Path) -> None:
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(path).iter_batches(batch_size=8_192):
        batch.to_pylist()
