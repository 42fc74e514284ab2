"""Every rule of importlinter.ini holds, and every one of them is able to fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("domain", "adapters", "entrypoints")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree to break."""
    copy = tmp_path_factory.mktemp("house")
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "src", copy / "src", symlinks=True, ignore=shutil.ignore_patterns("*.egg-info"))
    shutil.copy(ROOT / "importlinter.ini", copy)
    return copy


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a host application's own `domain` package."""
    folder = tmp_path_factory.mktemp("host")
    (folder / "domain").mkdir()
    (folder / "domain" / "__init__.py").touch()
    return folder


def lint(house: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--config", "importlinter.ini", "--no-cache"],
        cwd=house,
        env=os.environ | {"PYTHONPATH": str(house / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def broken(house: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The house with one forbidden line in one module."""
    module, line = request.param
    path = house / module
    before = path.read_text()
    path.write_text(before + f"\n{line}\n")
    yield house
    path.write_text(before)


def test_the_rules_hold(house: Path) -> None:
    outcome = lint(house)
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        pytest.param(
            ("domain/kernel/ids.py", "import llama_mapper.entrypoints.version"),
            "Entrypoints see adapters, adapters see the domain, never the other way",
            id="layers",
        ),
        pytest.param(
            ("domain/analysis/ports.py", "import llama_mapper.domain.mapping.ports"),
            "Contexts are independent",
            id="contexts",
        ),
        pytest.param(
            ("domain/contracts/base.py", "import llama_mapper.domain.orchestration.ports"),
            "Contexts are independent",
            id="contracts-see-only-the-kernel",
        ),
        pytest.param(
            ("adapters/analysis/tables.py", "import llama_mapper.adapters.mapping.tables"),
            "A context's adapters know neither",
            id="adapters",
        ),
        pytest.param(
            ("adapters/mapping/tables.py", "import llama_mapper.adapters.links.http_link"),
            "A context's adapters know neither",
            id="links",
        ),
        pytest.param(
            ("adapters/platform/columns.py", "import llama_mapper.adapters.mapping.tables"),
            "The shared platform knows no context's adapters",
            id="platform",
        ),
        pytest.param(
            ("domain/mapping/ports.py", "import sqlalchemy"),
            "The domain imports no framework and no driver",
            id="purity",
        ),
        pytest.param(
            ("domain/orchestration/ports.py", "import pydantic"),
            "Within the domain only the contracts use pydantic",
            id="pydantic",
        ),
        pytest.param(
            ("entrypoints/version.py", "import domain"),
            "Nobody imports the rooms by their bare names",
            id="bare-names",
        ),
        pytest.param(
            ("entrypoints/http/health.py", "import llama_mapper.adapters.platform.database"),
            "Only the containers name concrete adapters",
            id="concrete-adapters",
        ),
        pytest.param(
            ("domain/kernel/errors.py", "import llama_mapper.domain.contracts.base"),
            "No cycles between siblings",
            id="cycles",
        ),
    ],
    indirect=["broken"],
)
def test_a_broken_rule_is_caught(broken: Path, rule: str) -> None:
    outcome = lint(broken)
    assert outcome.returncode != 0
    assert any(line.startswith(rule) and line.endswith("BROKEN") for line in outcome.stdout.splitlines()), (
        outcome.stdout
    )


def test_the_domain_imports_only_the_standard_library_pydantic_orjson_and_semver() -> None:
    graph = grimp.build_graph("llama_mapper", include_external_packages=True, cache_dir=None)
    imported = {
        (target.split(".")[0], module.removeprefix("llama_mapper.domain."))
        for module in graph.find_descendants("llama_mapper.domain")
        for target in graph.find_modules_directly_imported_by(module)
        if not target.startswith("llama_mapper")
    }
    assert {library for library, _ in imported} - sys.stdlib_module_names == {"pydantic", "orjson", "semver"}
    assert {module for library, module in imported if library == "semver"} == {"mapping.models.versions"}
    assert {module for library, module in imported if library == "orjson"} == {
        "contracts.json_form",
        "kernel.canonical",
    }
