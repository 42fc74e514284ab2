"""Everything that a soak runs, as processes on loopback: detectors, Valkey, the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.soak.cast import CAST, definition, write_policy
from tests.support.detector_servers import DetectorServer, detector_servers
from tests.support.servers import Server, run_cli, starting, wait_until_loaded
from tests.support.valkey import ValkeyServer

_SETTINGS = {
    "LLAMA_MAPPER_DETECTORS": ",",
    "LLAMA_MAPPER_DETECTOR_WORKERS": "0",
    # So high that it refuses nobody; so that every request is counted in Valkey.
    "LLAMA_MAPPER_RATE_LIMIT_ADDRESS": "10000000",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs."""

    server: Server
    valkey: ValkeyServer
    detectors: tuple[DetectorServer, ...]

    def misbehave(self) -> None:
        """From now on the detectors have their faults."""
        for part, detector in zip(CAST, self.detectors, strict=True):
            if part.fault is not None:
                detector.behave(part.fault, **part.how)

    def behave(self) -> None:
        """From now on all detectors are good."""
        for detector in self.detectors:
            detector.behave("good")


@contextmanager
def set_up(folder: Path) -> Iterator[Stage]:
    """Everything started, with good detectors; stopped at the end of the block."""
    definitions, policy, valkey_folder = folder / "detectors", folder / "policy", folder / "valkey"
    definitions.mkdir()
    valkey_folder.mkdir()
    write_policy(policy)
    with ExitStack() as stack:
        detectors = stack.enter_context(detector_servers(*({part.word: part.label} for part in CAST)))
        for part, detector in zip(CAST, detectors, strict=True):
            # JSON is YAML, too.
            (definitions / f"{part.name}.yaml").write_text(json.dumps(definition(part, detector.url)))
        valkey = stack.enter_context(ValkeyServer(valkey_folder))
        added = run_cli("policies", "add", policy, "--data-dir", folder / "data", environment=_SETTINGS)
        if added.returncode:
            raise RuntimeError(added.stderr.decode()[-2000:])
        settings = {
            **_SETTINGS,
            "LLAMA_MAPPER_DETECTOR_FILES": str(definitions),
            "LLAMA_MAPPER_REDIS_URL": valkey.url,
        }
        server = stack.enter_context(starting(folder, (), settings))
        wait_until_loaded(server)
        yield Stage(server, valkey, detectors)
