"""Files of a run: whole or not there, verified, bounded. Without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from llama_mapper.adapters.mapping.training.bounded_log import HALF_BYTES, BoundedLog, last_lines
from llama_mapper.adapters.mapping.training.checkpoints import CheckpointFolder
from llama_mapper.adapters.mapping.training.durable_files import (
    MANIFEST,
    CorruptFolderError,
    publish_folder,
    verified_folder,
    write_file,
)
from llama_mapper.adapters.mapping.training.loss_chart_pygal import draw_losses
from llama_mapper.adapters.mapping.training.run_state import MetricsFile, Progress
from llama_mapper.adapters.mapping.training.trainer_events import TrainerEvent, read_event

FILES = {"weights": b"w" * 100, "state": b"s" * 10}


@pytest.fixture
def checkpoints(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path / "checkpoints")


def test_the_newest_checkpoint_is_gone_on_from(checkpoints: CheckpointFolder) -> None:
    assert checkpoints.newest() == (None, [])
    for step in (5, 10):
        checkpoints.save(step, FILES, {"best_step": 5})
    found, ignored = checkpoints.newest()
    assert found is not None
    assert (found.step, found.facts["best_step"], ignored) == (10, 5, [])
    assert (found.path / "weights").read_bytes() == FILES["weights"]


@pytest.mark.parametrize("name", ["weights", "state", MANIFEST])
@pytest.mark.parametrize("how", ["flipped", "cut", "gone", "emptied"])
def test_a_checkpoint_that_was_touched_is_passed_over_and_named(
    checkpoints: CheckpointFolder, name: str, how: str
) -> None:
    for step in (5, 10):
        checkpoints.save(step, FILES, {})
    path = checkpoints.path_of(10) / name
    content = path.read_bytes()
    match how:
        case "flipped":
            path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        case "cut":
            path.write_bytes(content[: len(content) // 2])
        case "gone":
            path.unlink()
        case "emptied":
            path.write_bytes(b"")
    found, ignored = checkpoints.newest()
    assert found is not None
    assert found.step == 5
    assert [each.name for each in ignored] == ["step-00000010"]
    assert ignored[0].reason


def test_a_manifest_cannot_point_outside_of_its_folder(tmp_path: Path) -> None:
    publish_folder(tmp_path / "a", FILES, {})
    (tmp_path / "weights").write_bytes(FILES["weights"])
    manifest = json.loads((tmp_path / "a" / MANIFEST).read_bytes())
    manifest["files"]["../weights"] = manifest["files"].pop("weights")
    (tmp_path / "a" / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(CorruptFolderError, match="outside"):
        verified_folder(tmp_path / "a")


def test_what_a_save_left_unfinished_is_named_and_removed(checkpoints: CheckpointFolder, tmp_path: Path) -> None:
    checkpoints.save(5, FILES, {})
    left = tmp_path / "checkpoints" / ".tmp-step-00000010"
    left.mkdir()
    (left / "weights").write_bytes(b"w")
    found, ignored = checkpoints.newest()
    assert found is not None
    assert found.step == 5
    assert [(each.name, each.reason) for each in ignored] == [("step-00000010", "it was not written to its end")]
    assert not left.exists()


def test_the_newest_few_and_the_best_are_kept(checkpoints: CheckpointFolder) -> None:
    for step in (1, 2, 3, 4, 5):
        checkpoints.save(step, FILES, {})
        checkpoints.prune(2, best=2 if step >= 2 else None)
    assert checkpoints.steps() == [2, 4, 5]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    publish_folder(tmp_path / "a", FILES, {"n": 1})
    publish_folder(tmp_path / "a", {"other": b"o"}, {"n": 2})
    assert verified_folder(tmp_path / "a") == {"n": 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [MANIFEST, "other"]


_FULL = """
import resource, sys
from pathlib import Path
from llama_mapper.adapters.mapping.training.checkpoints import CheckpointFolder
from llama_mapper.adapters.mapping.training.durable_files import DiskFullError, write_file
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
root = Path(sys.argv[1])
checkpoints = CheckpointFolder(root)
checkpoints.save(1, {"weights": b"w" * 1000}, {})
(root / "file").write_bytes(b"before")
too_much = b"w" * 9000
for attempt in (lambda: checkpoints.save(2, {"weights": too_much}, {}), lambda: write_file(root / "file", too_much)):
    try:
        attempt()
    except DiskFullError as error:
        print(error.strerror)
"""


def test_a_full_disk_is_told_and_what_was_there_before_stays(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL, tmp_path], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "no room to write step-00000002",
        "no room to write file",
    ]
    found, ignored = CheckpointFolder(tmp_path).newest()
    assert found is not None
    assert (found.step, ignored) == (1, [])
    assert (tmp_path / "file").read_bytes() == b"before"
    assert not list(tmp_path.glob(".tmp*"))


def test_steps_after_the_checkpoint_are_forgotten_and_a_torn_line_too(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.jsonl")
    metrics.cut_after(0)
    for step in (1, 2, 3):
        metrics.add(step=step, loss=1.0 / step)
    metrics.add(step=3, validation_loss=0.5)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 1, "lo')
    metrics.cut_after(2)
    metrics.add(step=3, loss=9.0)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert lines[-1] == {"step": 3, "loss": 9.0}


def test_training_ends_early_after_patience_without_gain() -> None:
    progress = Progress()
    seen = []
    for progress.step, loss in enumerate([3.0, 2.0, 2.1, 2.0, 1.99], 1):
        seen.append((progress.judge(loss, 0.1, 3), progress.ended_early))
    assert seen == [(True, False), (True, False), (False, False), (False, False), (False, True)]
    assert (progress.best_step, progress.best_loss) == (2, 2.0)
    patient = Progress()
    assert [patient.judge(1.0, 0.0, 0) for _ in range(50)].count(True) == 1
    assert not patient.ended_early


def test_a_log_stays_bounded_and_its_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "trainer.log"
    with BoundedLog(path) as log:
        for number in range(3 * HALF_BYTES // 64):
            log.add(f"{number:063d}\n".encode())
        log.add(b"a\x1b[31mred\r50%\r100%\n\xff\xfe")
    kept = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert kept <= 2 * HALF_BYTES
    lines, more = last_lines(path, 5)
    assert more
    assert lines[1:] == ["a [31mred", "50%", "100%", "\ufffd\ufffd"]
    assert all(line.isprintable() for line in lines)
    assert last_lines(tmp_path / "none", 5) == ([], False)


@pytest.mark.parametrize(
    "line", [b"", b"x", b"3", b"[]", b"{}", b'{"event": "else"}', b'{"event": 3}', b"\xff", b'{"event"']
)
def test_a_line_that_is_no_event_is_none(line: bytes) -> None:
    assert read_event(line) is None


def test_an_event_is_read() -> None:
    assert read_event(b'{"event": "step", "step": 3}\n') == (TrainerEvent.STEP, {"step": 3})


def test_losses_are_drawn_without_scripts(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    rows = [{"step": step, "loss": 3.0 / step} for step in range(1, 2_000)] + [{"step": 10, "validation_loss": 2.0}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    drawn = draw_losses(path).decode()
    assert "<svg" in drawn
    assert "<script" not in drawn
    assert "validation" in drawn
    assert len(drawn) < 200_000
    assert b"<svg" in draw_losses(tmp_path / "none.jsonl")


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"1")
    write_file(tmp_path / "a", b"22")
    assert (tmp_path / "a").read_bytes() == b"22"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
