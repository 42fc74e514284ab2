"""Where mapped labels go: standard output, a JSONL file, or a folder of Parquet files; the last two can be resumed.

Beside a file or folder NAME stands `NAME.resume.json` until all is done: how many rows of which source were read, and
how much of the output they gave. It is replaced, whole, after what it speaks of is on the disk. What a killed run wrote
beyond it is cut off when the run is resumed, so that no row is lost and none is there twice.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.entrypoints.cli.label_sources import parquet

if TYPE_CHECKING:
    from llama_mapper.domain.contracts.mapping import MappedLabel


class LabelOutput(Protocol):
    """Takes answers batch by batch."""

    read: int
    """Rows of the source that earlier runs are done with."""

    def write(self, mappings: Sequence[MappedLabel], read: int) -> None:
        """Take the answers to the rows up to number `read`."""
        ...

    def finish(self) -> None:
        """All rows are there."""
        ...


class PrintedLabels:
    """JSONL on standard output."""

    read = 0

    def write(self, mappings: Sequence[MappedLabel], read: int) -> None:
        """Print them."""
        sys.stdout.write("".join([f"{mapped.model_dump_json()}\n" for mapped in mappings]))

    def finish(self) -> None:
        """Nothing is left to do."""
        sys.stdout.flush()


@dataclass(frozen=True, slots=True)
class Work:
    """What a run is: resuming goes on with the same work only."""

    source: str
    source_bytes: int
    options: dict[str, Any]

    def as_document(self) -> dict[str, Any]:
        """The form in which it is compared."""
        document: dict[str, Any] = json.loads(json.dumps({"source": self.source, **self.options}))
        return {**document, "source_bytes": self.source_bytes}


class LabelFile:
    """A JSONL file."""

    def __init__(self, path: Path, work: Work, *, resume: bool) -> None:
        self._notes = _Notes(path, work)
        self.read, kept = self._notes.begin(resume)
        self._file = path.open("r+b" if kept else "wb")
        self._file.truncate(kept)
        self._file.seek(kept)

    def write(self, mappings: Sequence[MappedLabel], read: int) -> None:
        """Add lines, and note it once they are on the disk."""
        from llama_mapper.domain.contracts.json_form import json_form

        self._file.write(b"".join([json_form(mapped) + b"\n" for mapped in mappings]))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._notes.keep(read, self._file.tell())

    def finish(self) -> None:
        """Close it."""
        self._file.close()
        self._notes.forget()


class LabelParts:
    """A folder of Parquet files, one a batch."""

    def __init__(self, folder: Path, work: Work, *, resume: bool) -> None:
        self._library = parquet()
        self._folder = folder
        self._notes = _Notes(folder, work)
        self._explained = bool(work.options.get("include"))
        self.read, self._parts = self._notes.begin(resume)
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("part-*.parquet*"):
            if path.suffix != ".parquet" or int(path.stem.removeprefix("part-")) >= self._parts:
                path.unlink()

    def write(self, mappings: Sequence[MappedLabel], read: int) -> None:
        """Add a file, and note it once it is on the disk."""
        if mappings:
            path = self._folder / f"part-{self._parts:06}.parquet"
            fresh = path.with_suffix(".parquet.new")
            self._library.write_table(_table(mappings, explained=self._explained), fresh)
            with fresh.open("rb") as file:
                os.fsync(file.fileno())
            fresh.replace(path)
            self._parts += 1
        self._notes.keep(read, self._parts)

    def finish(self) -> None:
        """Nothing is open."""
        self._notes.forget()


class _Notes:
    def __init__(self, output: Path, work: Work) -> None:
        self._output = output
        self._path = output.with_name(output.name + ".resume.json")
        self._work = work.as_document()

    def begin(self, resume: bool) -> tuple[int, int]:
        """Rows read and output kept so far; raise `CONFIGURATION_INVALID` where something else would be lost."""
        if not self._path.exists():
            if self._output.exists() and (self._output.is_file() or any(self._output.iterdir())):
                raise ConfigurationError(f"{self._output} is there already")
            return 0, 0
        if not resume:
            raise ConfigurationError(f"{self._output} was begun: go on with --resume, or remove {self._path.name}")
        try:
            known = json.loads(self._path.read_text("utf-8"))
            read, kept, work = int(known["read"]), int(known["kept"]), known["work"]
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{self._path} is not readable") from error
        if work != self._work:
            raise ConfigurationError(f"{self._output} was begun from another source or with other options")
        return read, kept

    def keep(self, read: int, kept: int) -> None:
        """Replace the note."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps({"read": read, "kept": kept, "work": self._work}), "utf-8")
        fresh.replace(self._path)

    def forget(self) -> None:
        """The work is done."""
        self._path.unlink(missing_ok=True)


def _table(mappings: Sequence[MappedLabel], *, explained: bool) -> Any:
    import pyarrow as pa

    texts = pa.list_(pa.string())
    schema = pa.schema(
        [
            ("vendor", pa.string()),
            ("vendor_version", pa.string()),
            ("label", pa.string()),
            ("score", pa.float64()),
            ("canonical", pa.string()),
            ("also", texts),
            ("confidence", pa.float64()),
            ("stage", pa.string()),
            ("abstained", pa.bool_()),
            ("controls", pa.map_(pa.string(), texts)),
            *([("rationale", pa.string())] if explained else []),
        ]
    )
    plain = [name for name in schema.names if name not in ("controls", "stage")]
    columns: dict[str, list[Any]] = {name: [getattr(mapped, name) for mapped in mappings] for name in plain}
    columns["stage"] = [mapped.stage.value for mapped in mappings]
    columns["controls"] = [list(mapped.controls.items()) for mapped in mappings]
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)
