"""What a plugin of this context is: an object that an installed package names, and that says what it brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llama_mapper.domain.kernel.plugins import BasePlugin
from llama_mapper.domain.orchestration.hooks import OrchestrationHook
from llama_mapper.domain.orchestration.ports import Detector, PolicyBundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin(BasePlugin):
    """A plugin that adds detectors, policies and hooks. All makers are optional and called once, at start.

    - `detectors` gives detectors that run in the event loop and never block it;
    - `scanners` gives import strings `package.module:callable` of `TextScanner` factories, which run in the worker
      processes: the right place for anything that costs processor time;
    - `policies` gives bundles that every tenant may name, as the shipped ones;
    - `hooks` gives code that takes part in every request.
    """

    detectors: Callable[[Any], Sequence[Detector]] | None = None
    scanners: Callable[[Any], Sequence[str]] | None = None
    policies: Callable[[Any], Sequence[PolicyBundle]] | None = None
    hooks: Callable[[Any], Sequence[OrchestrationHook]] | None = None
