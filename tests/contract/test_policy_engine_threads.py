"""An engine is made and forgotten in the thread that used it, whoever collects the rest."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from llama_mapper.adapters.orchestration.regorus_policy_engine import RegorusPolicyEngine
from llama_mapper.adapters.orchestration.shipped_policies import load_shipped_bundles
from llama_mapper.domain.orchestration.bundle import check_bundle


@pytest.mark.filterwarnings("error")
def test_a_closed_engine_may_be_collected_by_another_thread() -> None:
    engines = [RegorusPolicyEngine()]

    def use() -> None:
        asyncio.run(check_bundle(engines[0], load_shipped_bundles()[0], "local"))
        engines[0].close()

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    engines.clear()
    gc.collect()
