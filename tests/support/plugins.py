"""Plugins that are good or bad in one way each."""

from __future__ import annotations

import sys
from typing import Any

from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.orchestration.bundle import make_bundle
from llama_mapper.domain.orchestration.hooks import OrchestrationHook
from llama_mapper.domain.orchestration.plugins import Plugin
from llama_mapper.domain.orchestration.ports import DetectorDescriptor, Inquiry, Inspection

HERE = "tests.support.plugins"


class Quiet:
    """A detector that finds nothing."""

    readiness: str | None = None

    def __init__(self, name: str, categories: tuple[str, ...] = ("content.toxic_language",)) -> None:
        self.descriptor = DetectorDescriptor(name, "test", "1", categories, (), (), 0.0)

    async def inspect(self, inquiry: Inquiry) -> Inspection:
        """Nothing."""
        return Inspection()


def _explode(*_: Any, **__: Any) -> Any:
    raise RuntimeError("the secret is s3cr3t")


def _leave(*_: Any) -> Any:
    sys.exit(3)


def _refuse(**_: Any) -> Any:
    raise ConfigurationError("the url is missing")


good = Plugin(name="good", version="1", api=(1, 0), detectors=lambda _: [Quiet("quiet")])
also_good = Plugin(
    name="also_good",
    version="1",
    api=(1, 0),
    settings=dict,
    detectors=lambda settings: [Quiet(settings["detector"])],
    hooks=lambda _: [OrchestrationHook()],
)
too_new = Plugin(name="too_new", version="1", api=(1, 99))
too_old = Plugin(name="too_old", version="1", api=(0, 1))
exploding = Plugin(name="exploding", version="1", api=(1, 0), detectors=_explode)
leaving = Plugin(name="leaving", version="1", api=(1, 0), hooks=_leave)
refusing = Plugin(name="refusing", version="1", api=(1, 0), settings=_refuse)
settings_explode = Plugin(name="settings_explode", version="1", api=(1, 0), settings=_explode)
twin = Plugin(name="twin", version="1", api=(1, 0), detectors=lambda _: [Quiet("quiet")])
shipped_name = Plugin(name="shipped_name", version="1", api=(1, 0), detectors=lambda _: [Quiet("presidio")])
odd_category = Plugin(name="odd_category", version="1", api=(1, 0), detectors=lambda _: [Quiet("odd", ("no.such",))])
odd_scanner = Plugin(name="odd_scanner", version="1", api=(1, 0), scanners=lambda _: ["no.such.module:scanner"])
odd_policy = Plugin(
    name="odd_policy", version="1", api=(1, 0), policies=lambda _: [make_bundle("default", "1", "", {}, {})]
)
odd_hook = Plugin(name="odd_hook", version="1", api=(1, 0), hooks=lambda _: [object()])  # type: ignore[list-item]  # wrong on purpose


class _Unnameable(OrchestrationHook):
    name = "two words"


class _Nameless(OrchestrationHook):
    @property
    def name(self) -> str:
        """There is none."""
        raise RuntimeError("the secret is s3cr3t")


unnameable_hook = Plugin(name="unnameable_hook", version="1", api=(1, 0), hooks=lambda _: [_Unnameable()])
nameless_hook = Plugin(name="nameless_hook", version="1", api=(1, 0), hooks=lambda _: [_Nameless()])
no_list = Plugin(name="no_list", version="1", api=(1, 0), detectors=lambda _: 5)  # type: ignore[return-value, arg-type]  # wrong on purpose
no_plugin = {"name": "no_plugin"}
