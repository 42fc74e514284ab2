"""The wheel has everything, and works inside an application that has packages of the same names as our rooms."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.servers import ROOT

ROOMS = ("domain", "adapters", "entrypoints")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the tree as git knows it."""
    source = tmp_path_factory.mktemp("source")
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, files.split("\0")):
        path = ROOT / name
        if not os.path.lexists(path):
            continue
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            target.symlink_to(path.readlink())
        else:
            target.write_bytes(path.read_bytes())
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source],
        check=True,
        capture_output=True,
    )
    [built] = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_every_module_and_every_data_file_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    expected = {"llama_mapper/__init__.py", "llama_mapper/py.typed"} | {
        f"llama_mapper/{path.relative_to(ROOT)}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected - inside == set()
    packaged = {name for name in inside if not name.split("/")[0].endswith(".dist-info")}
    assert packaged - expected == set()


def test_the_wheel_ships_no_bare_top_level_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        roots = {name.split("/")[0] for name in archive.namelist()}
    assert {root for root in roots if not root.endswith(".dist-info")} == {"llama_mapper"}


HOST = """
import asyncio
import adapters
import domain
import llama_mapper
from llama_mapper import LlamaMapper

assert domain.OWNER == "host" and adapters.OWNER == "host"
assert llama_mapper.__file__.startswith({installed!r}), llama_mapper.__file__


async def main():
    async with LlamaMapper.open(data_dir={data!r}) as mapper:
        assessment = await mapper.assess("My card is 4111 1111 1111 1111.", frameworks=["pci_dss"])
        assert (await mapper.get(assessment.id)) == assessment
        return assessment


def plainly():
    with LlamaMapper.open_sync(data_dir={data!r}) as mapper:
        return mapper.assess("My card is 4111 1111 1111 1111.", frameworks=["pci_dss"])


if {asynchronously}:
    assessment = asyncio.run(main())
else:
    assessment = plainly()
print(" ".join(assessment.mapping.taxonomy))
"""


@pytest.mark.parametrize("asynchronously", [True, False])
def test_it_works_inside_an_application_with_packages_of_the_same_names(
    installed: Path, tmp_path: Path, asynchronously: bool
) -> None:
    for name in ("domain", "adapters"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('OWNER = "host"\n')
    # No `if __name__ == "__main__"` guard: the library must not run the host's script again in its processes.
    script = tmp_path / "application.py"
    script.write_text(HOST.format(installed=str(installed), data=str(tmp_path / "data"), asynchronously=asynchronously))
    outcome = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{installed}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.split() == ["pii.financial_data.payment_card"]


def test_importing_the_package_loads_none_of_its_rooms(installed: Path) -> None:
    code = "import sys, llama_mapper; print([m for m in sys.modules if m.startswith('llama_mapper.')])"
    outcome = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert outcome.stdout.strip() == "[]"
