"""Files of definitions, followed while they change."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import pytest

from llama_mapper.adapters.orchestration.discovery.definition_files import SIZE_LIMIT, read_definition, read_definitions
from llama_mapper.adapters.orchestration.discovery.file_changes import changes
from llama_mapper.adapters.orchestration.discovery.file_source import FileSource
from llama_mapper.adapters.platform.catalogue_files import load_catalogue
from llama_mapper.domain.contracts.detectors import DetectorSource
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.registry.checks import check_definition
from llama_mapper.domain.orchestration.registry.fleet import DetectorFleet
from llama_mapper.domain.orchestration.roster import DetectorRoster
from tests.support.definitions import Workshop

CATALOGUE = load_catalogue()

ONE = """
name: {name}
vendor: presidio
vendor_version: "1"
url: http://127.0.0.1:9
protocol: {{kind: fms, detector_id: theirs}}
categories: [{category}]
"""


def one(name: str, category: str = "pii.personal_identifiers") -> str:
    return ONE.format(name=name, category=category)


class Followed:
    """A folder, and the fleet that it leads to."""

    def __init__(self, *places: Path) -> None:
        self.roster = DetectorRoster(CATALOGUE, {})
        self.fleet = DetectorFleet(self.roster, {}, Workshop().make, CATALOGUE)
        self.source = FileSource(
            places, self.fleet, lambda each: check_definition(each, CATALOGUE), lambda: datetime.now(UTC)
        )

    @property
    def names(self) -> list[str]:
        return list(self.roster.detectors)


@asynccontextmanager
async def following(followed: Followed) -> AsyncIterator[None]:
    task = asyncio.create_task(followed.source.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], bool], limit_s: float = 40.0) -> None:
    async with asyncio.timeout(limit_s):
        while not holds():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("suffix", ["yaml", "yml", "json"])
def test_a_file_holds_one_definition_or_a_list(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"some.{suffix}"
    path.write_text(one("a"))
    assert [each.name for each in read_definitions(path)] == ["a"]
    assert read_definition(path).categories == ("pii.personal_identifiers",)
    inside = '{"name": "%s", "vendor": "v", "vendor_version": "1", "url": "http://h", "protocol": {"kind": "presidio"}}'
    path.write_text(f"[{inside % 'a'}, {inside % 'b'}]")
    assert [each.name for each in read_definitions(path)] == ["a", "b"]
    with pytest.raises(ConfigurationError, match="one definition and holds 2"):
        read_definition(path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "definition 1"),
        ("name: [", "neither YAML nor JSON"),
        ("- 1\n- 2\n", "definition 1"),
        (one("a") + "password: hunter2\n", "password"),
        (one("a/b"), "name"),
        (one("a") + "1: x\n", "definition 1"),
        ("!!python/object/apply:os.getcwd []", "neither YAML nor JSON"),
        ("x" * (SIZE_LIMIT + 1), "larger"),
        ("\x00", "neither YAML nor JSON"),
    ],
)
def test_a_wrong_file_is_refused_and_nothing_of_it_is_quoted(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_definitions(path)
    assert why in caught.value.message
    assert "hunter2" not in caught.value.message
    assert len(caught.value.message) < 500


async def test_a_folder_is_read_in_the_order_of_its_names_and_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(one("x"))
    (tmp_path / "a.yaml").write_text(one("x"))
    (tmp_path / ".hidden.yaml").write_text(one("hidden"))
    (tmp_path / "notes.txt").write_text("anything")
    followed = Followed(tmp_path)
    await followed.source.refresh()
    assert followed.names == ["x"]
    assert followed.fleet.offered()[0].by == "file a.yaml"
    assert list(followed.fleet.problems) == ["file.b.yaml"]


async def test_a_broken_file_keeps_what_it_held_and_says_so_and_touches_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(one("a"))
    (tmp_path / "b.yaml").write_text(one("b"))
    followed = Followed(tmp_path)
    await followed.source.refresh()
    for wrong in ("name: [", one("a2", "no.such")):
        (tmp_path / "a.yaml").write_text(wrong)
        await followed.source.refresh()
        assert followed.names == ["a", "b"]
        assert "stays in service" in followed.fleet.notes()["file.a.yaml"]
    (tmp_path / "a.yaml").write_text(one("a3"))
    await followed.source.refresh()
    assert followed.names == ["a3", "b"]
    assert followed.fleet.notes() == {}
    (tmp_path / "a.yaml").unlink()
    await followed.source.refresh()
    assert followed.names == ["b"]


async def test_a_place_that_is_away_keeps_what_it_held(tmp_path: Path) -> None:
    place = tmp_path / "a.yaml"
    followed = Followed(place)
    await followed.source.refresh()
    assert list(followed.fleet.notes()) == ["file.a.yaml"]
    place.write_text(one("a"))
    await followed.source.refresh()
    assert (followed.names, followed.fleet.notes()) == (["a"], {})
    place.unlink()
    await followed.source.refresh()
    assert followed.names == ["a"]
    assert list(followed.fleet.notes()) == ["file.a.yaml"]


async def test_a_changed_definition_is_a_new_revision_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(one("a"))
    followed = Followed(tmp_path)
    await followed.source.refresh()
    path.write_text("# a remark\n" + one("a"))
    await followed.source.refresh()
    assert followed.fleet.offered()[0].revision == 1
    path.write_text(one("a") + "timeout_ms: 7\n")
    await followed.source.refresh()
    offer = followed.fleet.offered()[0]
    assert (offer.revision, offer.definition.timeout_ms, offer.source) == (2, 7, DetectorSource.FILE)


@pytest.mark.parametrize("watching", [True, False], ids=["watchfiles", "polling"])
async def test_a_change_is_in_service_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watching: bool
) -> None:
    if not watching:
        monkeypatch.setitem(sys.modules, "watchfiles", None)
    folder = tmp_path / "later"
    followed = Followed(folder)
    async with following(followed):
        await until(lambda: "file.later" in followed.fleet.notes())
        folder.mkdir()
        (folder / "a.yaml").write_text(one("a"))
        await until(lambda: followed.names == ["a"])
        assert followed.fleet.notes() == {}
        (folder / "new").write_text(one("b"))
        (folder / "new").rename(folder / "a.yaml")  # as careful programs replace files
        await until(lambda: followed.names == ["b"])
        (folder / "a.yaml").unlink()
        await until(lambda: followed.names == [])


async def test_the_system_tells_of_changes_sooner_than_anyone_looks(tmp_path: Path) -> None:
    turns = changes([tmp_path])
    took = []
    try:
        await anext(turns)  # the watch is set up
        for number in range(5):
            (tmp_path / f"{number}.yaml").write_text("x")
            began = monotonic()
            await asyncio.wait_for(anext(turns), 40)
            took.append(monotonic() - began)
    finally:
        await turns.aclose()
    assert min(took) < 1.0, took
