"""The policy bundles that ship with the product, read from package data.

A bundle is a folder with `bundle.json` (name, version, description, modules) and `data.json`; its modules are Rego
files beside the folders, so that bundles which differ only in data share one.
"""

from __future__ import annotations

import json
from importlib.resources import files

from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.ports import PolicyBundle

_PACKAGE = "llama_mapper.domain.orchestration.bundles"


def load_shipped_bundles() -> tuple[PolicyBundle, ...]:
    """Every shipped bundle, by name."""
    root = files(_PACKAGE)
    bundles = []
    for folder in root.iterdir():
        manifest_file = folder / "bundle.json"
        if not (folder.is_dir() and manifest_file.is_file()):
            continue
        manifest = json.loads(manifest_file.read_text("utf-8"))
        bundles.append(
            make_bundle(
                name=manifest["name"],
                version=manifest["version"],
                description=manifest["description"],
                modules={path: (root / path).read_text("utf-8") for path in manifest["modules"]},
                data=json.loads((folder / "data.json").read_text("utf-8")),
            )
        )
    return tuple(sorted(bundles, key=lambda bundle: bundle.name))
