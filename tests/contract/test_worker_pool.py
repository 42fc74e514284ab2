"""What the worker pool promises, with real processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import uvloop

from llama_mapper.adapters.orchestration.workers import pool as worker_pool
from llama_mapper.adapters.orchestration.workers.frames import FINDINGS_LIMIT
from llama_mapper.adapters.orchestration.workers.handle import Job, WorkerHandle
from llama_mapper.adapters.orchestration.workers.pool import WorkerPool
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.ports import (
    Detector,
    DetectorFailed,
    DetectorUnavailable,
    Inquiry,
    Inspection,
    RawFinding,
)
from tests.support.scanners import HERE

MARK = "marked-content-5f1c"


@contextlib.asynccontextmanager
async def pool_of(
    *names: str, workers: int = 1, hard_limit_s: float = 20.0, max_pending: int = 1024, wait: bool = True
) -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(
        [f"{HERE}:{name}" for name in names], workers=workers, hard_limit_s=hard_limit_s, max_pending=max_pending
    )
    await pool.start()
    try:
        if wait:
            assert await pool.wait_ready(10)
        yield pool
    finally:
        await pool.close(grace_s=0.1)


async def becomes_ready(detector: Detector) -> None:
    async with asyncio.timeout(10):
        while detector.readiness is not None:
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if sys.platform != "linux":
        return True
    try:  # whoever adopts an orphan may be slow to collect it
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone_within(pid: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not is_alive(pid):
            return True
        time.sleep(0.02)
    return False


async def test_a_finding_arrives_with_label_score_and_code_point_offsets() -> None:
    async with pool_of("spans") as pool:
        assert await pool.detectors["spans"].inspect(Inquiry("ab 😀😀😀 é")) == Inspection(
            (RawFinding("LEN2", 0.5, 0, 2), RawFinding("LEN3", 0.5, 3, 6), RawFinding("LEN1", 0.5, 7, 8)), "en"
        )


async def test_descriptors_are_known_before_anything_starts() -> None:
    pool = WorkerPool([f"{HERE}:spans", f"{HERE}:missing"])
    assert [detector.descriptor.name for detector in pool.detectors.values()] == ["spans", "missing"]
    assert pool.detectors["spans"].readiness == worker_pool.NOT_STARTED
    with pytest.raises(DetectorUnavailable):
        await pool.detectors["spans"].inspect(Inquiry("text"))
    await pool.close()
    with pytest.raises(RuntimeError):
        await pool.start()


@pytest.mark.parametrize("text", ["\ud800 lone \udfff", "", "\x00", "x" * 262_144, "😀" * 262_144])
async def test_any_text_arrives_whole(text: str) -> None:
    async with pool_of("length") as pool:
        assert (await pool.detectors["length"].inspect(Inquiry(text))).findings[0].end == len(text)


async def test_detectors_asked_at_once_about_one_text_share_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    frames: list[int] = []
    send = WorkerHandle.send

    def counting(handle: WorkerHandle, jobs: Sequence[Job]) -> None:
        frames.append(len(jobs))
        send(handle, jobs)

    monkeypatch.setattr(WorkerHandle, "send", counting)
    async with pool_of("noop", "noop2", "spans", "length") as pool:
        await asyncio.gather(*(detector.inspect(Inquiry(MARK)) for detector in pool.detectors.values()))
    assert frames == [4]


async def test_many_texts_at_once_each_get_their_own_answer() -> None:
    async with pool_of("length", "spans", workers=2) as pool:
        texts = ["x" * n for n in range(200)]
        answers = await asyncio.gather(*(pool.detectors["length"].inspect(Inquiry(text)) for text in texts))
        assert [answer.findings[0].end for answer in answers] == list(range(200))
        assert pool.status().waiting == pool.status().queued == 0


async def test_dear_scanners_run_side_by_side_where_workers_are_free() -> None:
    async with pool_of("nap", "nap2", workers=2) as pool:
        began = time.perf_counter()
        await asyncio.gather(*(detector.inspect(Inquiry(MARK)) for detector in pool.detectors.values()))
        assert time.perf_counter() - began < 0.35


async def test_cheap_scanners_are_ready_while_dear_ones_load() -> None:
    async with pool_of("spans", "slow_to_load", "noop", wait=False) as pool:
        await becomes_ready(pool.detectors["spans"])
        assert pool.detectors["slow_to_load"].readiness == worker_pool.LOADING
        assert (await pool.detectors["spans"].inspect(Inquiry("a"))).findings
        with pytest.raises(DetectorUnavailable, match="loading"):
            await pool.detectors["slow_to_load"].inspect(Inquiry("a"))
        assert not await pool.wait_ready(0.01)
        assert await pool.wait_ready(10)
        assert (await pool.detectors["slow_to_load"].inspect(Inquiry("a"))).findings


async def test_a_scanner_that_cannot_load_disables_itself_alone() -> None:
    async with pool_of("missing", "broken", "spans") as pool:
        assert pool.detectors["missing"].readiness == "not installed: install llama-mapper[detectors]"
        assert pool.detectors["broken"].readiness == "failed to load (ImportError)"
        assert pool.detectors["spans"].readiness is None


async def test_a_scanner_whose_loading_ends_the_process_is_left_out_in_the_end() -> None:
    async with pool_of("spans", "dies_loading", "length") as pool:
        assert pool.detectors["dies_loading"].readiness == "its loading ended the worker process"
        assert pool.detectors["length"].readiness is None
        assert pool.status().workers[0].restarts == 2


@pytest.mark.parametrize(("name", "kind"), [("leak", "ValueError"), ("exiting", "SystemExit"), ("wrong", "ValueError")])
async def test_a_scanners_error_is_told_by_class_and_never_by_message(name: str, kind: str) -> None:
    async with pool_of(name, "spans") as pool:
        with pytest.raises(DetectorFailed) as caught:
            await pool.detectors[name].inspect(Inquiry(MARK))
        assert str(caught.value) == kind
        assert MARK not in repr(caught.value)
        assert caught.value.__cause__ is None
        assert (await pool.detectors["spans"].inspect(Inquiry("a"))).findings


async def test_what_a_scanner_prints_goes_nowhere_and_breaks_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    async with pool_of("chatter") as pool:
        for _ in range(3):
            assert (await pool.detectors["chatter"].inspect(Inquiry(MARK))).findings[0].label == "TALKED"
    assert MARK not in "".join(capfd.readouterr())


async def test_a_worker_is_not_given_the_owners_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_MAPPER_LINK_SECRET", "s")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    async with pool_of("environment") as pool:
        names = {finding.label for finding in (await pool.detectors["environment"].inspect(Inquiry(""))).findings}
    assert "OMP_NUM_THREADS" in names
    assert not [name for name in names if name.startswith("LLAMA_MAPPER_")]


async def test_the_event_loop_runs_on_while_a_scanner_computes_or_floods() -> None:
    async def longest_pause(pool: WorkerPool) -> float:
        worst = 0.0
        work = asyncio.gather(
            pool.detectors["spin"].inspect(Inquiry("a")), pool.detectors["flood"].inspect(Inquiry("a"))
        )
        while not work.done():
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            worst = max(worst, time.perf_counter() - before)
        assert len((await work)[1].findings) == FINDINGS_LIMIT
        return worst

    async with pool_of("spin", "flood") as pool:
        # A scan takes 400 ms. The best of three, since a busy machine pauses the test itself.
        assert min([await longest_pause(pool) for _ in range(3)]) < 0.05


async def test_cancellation_frees_the_caller_at_once_and_the_next_call_works() -> None:
    async with pool_of("nap", "nap2", "spans") as pool:
        began = time.perf_counter()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await asyncio.gather(*(detector.inspect(Inquiry(MARK)) for detector in pool.detectors.values()))
        assert time.perf_counter() - began < 0.12
        assert pool.status().waiting == 0
        assert (await pool.detectors["spans"].inspect(Inquiry("a"))).findings
        assert time.perf_counter() - began < 0.38  # the second nap never began


async def test_a_cancelled_call_that_was_not_sent_leaves_nothing_behind() -> None:
    async with pool_of("nap", "spans") as pool:
        first = asyncio.create_task(pool.detectors["nap"].inspect(Inquiry("a")))
        await asyncio.sleep(0.02)
        waiting = [asyncio.create_task(pool.detectors["spans"].inspect(Inquiry(str(n)))) for n in range(50)]
        await asyncio.sleep(0.02)
        assert pool.status().queued == 50
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert pool.status().queued == 0
        assert await first == Inspection()


async def test_beyond_the_bound_callers_are_turned_away() -> None:
    async with pool_of("nap", max_pending=2) as pool:
        answers = await asyncio.gather(
            *(pool.detectors["nap"].inspect(Inquiry(str(n))) for n in range(3)), return_exceptions=True
        )
        assert [str(answer) for answer in answers if isinstance(answer, Exception)] == [worker_pool.OVERLOADED]
        assert isinstance(answers[2], DetectorUnavailable)


@pytest.mark.parametrize("name", ["hang", "hold_lock"])
async def test_a_scan_beyond_the_hard_limit_is_ended_and_its_worker_replaced(name: str) -> None:
    async with pool_of(name, "spans", hard_limit_s=0.3) as pool:
        first = pool.status().workers[0].pid
        stuck = asyncio.create_task(pool.detectors[name].inspect(Inquiry("a")))
        await asyncio.sleep(0.05)
        behind = asyncio.create_task(pool.detectors["spans"].inspect(Inquiry("b")))
        with pytest.raises(DetectorFailed, match=r"longer than 0\.3 s"):
            await stuck
        with pytest.raises(DetectorUnavailable, match=r"restarting: .*longer than"):
            await behind
        await becomes_ready(pool.detectors["spans"])
        assert (await pool.detectors["spans"].inspect(Inquiry("a"))).findings
        assert pool.status().workers[0].restarts == 1
        assert first is not None
        assert not is_alive(first)


async def test_a_crash_fails_the_scan_that_crashed_and_spares_the_next_request() -> None:
    async with pool_of("spans", "crash", "length") as pool:
        answers = await asyncio.gather(
            *(detector.inspect(Inquiry(MARK)) for detector in pool.detectors.values()), return_exceptions=True
        )
        assert isinstance(answers[0], Inspection)
        assert isinstance(answers[1], DetectorFailed)
        assert "exited with code 7" in str(answers[1])
        assert isinstance(answers[2], Inspection | DetectorUnavailable)
        assert "restarting" in str(pool.detectors["spans"].readiness)
        await becomes_ready(pool.detectors["length"])
        assert (await pool.detectors["length"].inspect(Inquiry(MARK))).findings


async def test_a_text_that_crashes_again_and_again_does_not_lengthen_the_pauses() -> None:
    async with pool_of("crash", "spans") as pool:
        began = time.monotonic()
        for _ in range(10):
            await becomes_ready(pool.detectors["crash"])
            assert await pool.wait_ready(5)
            with pytest.raises(DetectorFailed):
                await pool.detectors["crash"].inspect(Inquiry(MARK))
        assert time.monotonic() - began < 40.0  # pauses that double from 0.1 s would take 51 s by now


async def test_with_a_second_worker_a_crash_costs_nobody_else_an_answer() -> None:
    async with pool_of("crash", "spans", "length", workers=2) as pool:
        text = "one text"
        answers = await asyncio.gather(
            *(pool.detectors[name].inspect(Inquiry(text)) for name in ("crash", "spans", "length")),
            return_exceptions=True,
        )
        assert isinstance(answers[0], DetectorFailed)
        assert isinstance(answers[1], Inspection)
        assert isinstance(answers[2], Inspection)


async def test_a_killed_worker_fails_what_it_ran_and_is_replaced() -> None:
    async with pool_of("nap", "spans") as pool:
        running = asyncio.create_task(pool.detectors["nap"].inspect(Inquiry("a")))
        await asyncio.sleep(0.05)
        pid = pool.status().workers[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(DetectorFailed, match="signal 9"):
            await running
        with pytest.raises(DetectorUnavailable, match="restarting"):
            await pool.detectors["spans"].inspect(Inquiry("a"))
        await becomes_ready(pool.detectors["spans"])
        assert (await pool.detectors["spans"].inspect(Inquiry("a"))).findings


async def test_interrupts_meant_for_the_owner_do_not_end_a_worker() -> None:
    async with pool_of("nap") as pool:
        running = asyncio.create_task(pool.detectors["nap"].inspect(Inquiry("a")))
        await asyncio.sleep(0.05)
        pid = pool.status().workers[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGTERM)
        assert await running == Inspection()
        assert pool.status().workers[0].pid == pid


async def test_closing_lets_running_work_finish_and_ends_every_process() -> None:
    async with pool_of("nap", workers=2) as pool:
        pids = [worker.pid for worker in pool.status().workers]
        running = asyncio.create_task(pool.detectors["nap"].inspect(Inquiry("a")))
        await asyncio.sleep(0.02)
        await asyncio.gather(pool.close(), pool.close())
        assert await running == Inspection()
        await pool.close()
        assert not [pid for pid in pids if pid is None or is_alive(pid)]
        with pytest.raises(DetectorUnavailable, match=worker_pool.CLOSED):
            await pool.detectors["nap"].inspect(Inquiry("a"))


@pytest.mark.parametrize("name", ["hang", "hold_lock"])
async def test_closing_does_not_wait_for_a_scan_that_never_ends(name: str) -> None:
    async with pool_of(name) as pool:
        pid = pool.status().workers[0].pid
        running = asyncio.create_task(pool.detectors[name].inspect(Inquiry("a")))
        await asyncio.sleep(0.02)
        await pool.close(grace_s=0.1)
        with pytest.raises(DetectorUnavailable, match=worker_pool.CLOSED):
            await running
        assert pid is not None
        assert not is_alive(pid)


async def test_closing_while_workers_start_leaves_nothing() -> None:
    async with pool_of("slow_to_load", workers=2, wait=False) as pool:
        await asyncio.sleep(0)
        await pool.close()
        assert [worker.pid for worker in pool.status().workers] == [None, None]


async def test_status_tells_what_metrics_need() -> None:
    async with pool_of("noop", "missing") as pool:
        status = pool.status()
        [worker] = status.workers
        assert worker.ready == ("noop",)
        assert (worker.loading, worker.running, worker.restarts, worker.reason) == (None, 0, 0, None)
        assert status.readiness["noop"] is None
        if sys.platform == "linux":
            assert worker.memory_bytes is not None
            assert 1_000_000 < worker.memory_bytes < 100_000_000


async def test_without_workers_every_detector_says_that_it_is_switched_off() -> None:
    async with pool_of("noop", workers=0) as pool:
        assert pool.detectors["noop"].readiness == worker_pool.SWITCHED_OFF


@pytest.mark.parametrize("factory", ["tests.support.nowhere:x", f"{HERE}:nothing", f"{HERE}:HERE", HERE])
def test_an_import_string_that_leads_nowhere_is_a_configuration_error(factory: str) -> None:
    with pytest.raises(ConfigurationError, match=factory):
        WorkerPool([factory])


def test_two_detectors_of_one_name_are_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="same name"):
        WorkerPool([f"{HERE}:noop", f"{HERE}:noop"])


def test_pools_work_in_several_threads_under_either_loop() -> None:
    async def use() -> int:
        async with pool_of("length") as pool:
            return len((await pool.detectors["length"].inspect(Inquiry("abc"))).findings)

    answers: list[int] = []
    threads = [threading.Thread(target=lambda run=run: answers.append(run(use()))) for run in (asyncio.run, uvloop.run)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert answers == [1, 1]


# No guard on purpose: a program that embeds us is not run a second time inside a worker.
OWNER = f"""
import asyncio, sys
from llama_mapper.adapters.orchestration.workers.pool import WorkerPool

print("began", flush=True)

async def main():
    pool = WorkerPool(["{HERE}:" + sys.argv[1]], hard_limit_s=0.5 if sys.argv[1] == "hold_lock" else 20)
    await pool.start()
    await pool.wait_ready(10)
    print(pool.status().workers[0].pid, flush=True)
    await asyncio.gather(pool.detectors[sys.argv[1]].inspect(Inquiry("a")), return_exceptions=True)
    await asyncio.sleep(30)

asyncio.run(main())
"""


@pytest.mark.parametrize(("name", "gone_s"), [("noop", 2.0), ("hang", 2.0), ("hold_lock", 2.5)])
def test_no_worker_outlives_an_owner_that_was_killed(name: str, gone_s: float, tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(OWNER)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    with subprocess.Popen(
        [sys.executable, str(script), name], stdout=subprocess.PIPE, env=environment, cwd=tmp_path, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "began\n"
        pid = int(owner.stdout.readline())
        time.sleep(0.1)
        owner.kill()
        assert owner.stdout.read() == ""
    assert gone_within(pid, gone_s)
