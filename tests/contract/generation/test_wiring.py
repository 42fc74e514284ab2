"""From settings to models that answer, are counted and are watched."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llama_mapper.adapters.platform.catalogue_files import load_raw_catalogue
from llama_mapper.adapters.platform.prometheus_metrics import PrometheusMetrics
from llama_mapper.domain.kernel.errors import ConfigurationError
from llama_mapper.domain.mapping.labels import LabelKey
from llama_mapper.entrypoints.containers.generation import ModelWatch, configured_models, model_stage_of
from llama_mapper.entrypoints.containers.mapping import running_mapping
from llama_mapper.entrypoints.containers.platform import PlatformContainer
from llama_mapper.entrypoints.settings import Settings
from tests.contract.generation.contract import ENOUGH_S, good, only
from tests.support.certificates import Authority
from tests.support.llama_server import LlamaServer
from tests.support.servers import free_port


def away() -> dict[str, Any]:
    return {"kind": "vllm", "url": f"http://127.0.0.1:{free_port()}", "model": "llama3_mapper"}


async def test_the_models_of_the_settings_answer_in_their_order_and_are_counted(
    quick_llama: LlamaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINY_KEY", quick_llama.key)
    here = {
        "kind": "llama_cpp",
        "url": quick_llama.url,
        "model": "tiny",
        "api_key_env": "TINY_KEY",
        "prompt_price": "0.5",
    }
    monkeypatch.setenv("LLAMA_MAPPER_GENERATION", json.dumps([away(), here]))
    settings = Settings.load(data_dir=tmp_path)
    assert settings.generation[1].prompt_price == Decimal("0.5")
    metrics = PrometheusMetrics()
    configured = configured_models(settings, metrics)
    models = configured.chain(None)
    assert models is not None
    try:
        (answer,) = await models.generate([only("a")], within_s=ENOUGH_S)
        made = good(answer)
        assert made.answered_by == "llama_cpp/tiny"
        assert made.microdollars == 500 * made.prompt_tokens
        stage = model_stage_of(settings, models, load_raw_catalogue().taxonomy)
        (ranking,) = await stage.rank([LabelKey("acme", None, "EMAIL")], within_s=ENOUGH_S)
        assert ranking.fault is None
        assert ranking.answered_by == "llama_cpp/tiny"
        watch = ModelWatch(configured)
        await watch.look()
        assert watch.notes() == {"model.vllm/llama3_mapper": "degraded: unavailable"}
    finally:
        await configured.close()
    shown = metrics.render()[0].decode()
    assert 'llama_mapper_generation_prompts_total{model="vllm/llama3_mapper",outcome="unavailable"} 2.0' in shown
    assert 'llama_mapper_generation_prompts_total{model="llama_cpp/tiny",outcome="answered"} 2.0' in shown
    tokens = made.prompt_tokens + ranking.prompt_tokens
    assert f'llama_mapper_generation_tokens_total{{direction="read",model="llama_cpp/tiny"}} {tokens}.0' in shown
    assert f'llama_mapper_generation_cost_usd_total{{model="llama_cpp/tiny"}} {tokens * 5 / 10_000}' in shown


async def test_a_model_that_is_away_degrades_the_context_and_does_not_stop_it(tmp_path: Path) -> None:
    platform = PlatformContainer(settings=Settings.load(data_dir=tmp_path, generation=[away()]))
    async with running_mapping(platform) as mapping:
        await mapping.watch().look()
        assert mapping.watch().notes() == {"model.vllm/llama3_mapper": "degraded: unavailable"}


async def test_a_local_model_is_loaded_without_being_asked(tmp_path: Path, tiny_model: Path) -> None:
    settings = Settings.load(data_dir=tmp_path, generation=[{"kind": "gguf", "path": str(tiny_model), "context": 512}])
    async with running_mapping(PlatformContainer(settings=settings)) as mapping:
        models = mapping.watch().models
        async with asyncio.timeout(ENOUGH_S):
            while any((await models.states()).values()):
                await asyncio.sleep(0.05)


async def test_without_models_there_is_nothing_to_ask_or_watch(tmp_path: Path) -> None:
    settings = Settings.load(data_dir=tmp_path)
    assert configured_models(settings).chain(None) is None
    watch = ModelWatch(configured_models(settings))
    async with watch.running():
        await watch.look()
        assert watch.notes() == {}


async def test_every_kind_can_be_made(tmp_path: Path, tiny_model: Path) -> None:
    pytest.importorskip("tritonclient", reason="the extra `triton` is not installed")
    servers = [{"kind": kind, "url": "http://127.0.0.1:9"} for kind in ("openai", "vllm", "tgi", "llama_cpp")]
    more = [{"kind": "triton", "url": "127.0.0.1:9"}, {"kind": "gguf", "path": str(tiny_model)}]
    models = configured_models(Settings.load(data_dir=tmp_path, generation=[*servers, *more])).chain(None)
    assert models is not None
    kinds = [name.partition(":")[0] for name in models.name.removeprefix("models/").split(",")]
    assert kinds == ["openai", "vllm", "tgi", "llama_cpp", "triton", "gguf"]
    await models.close()


@pytest.mark.parametrize(
    "model",
    [
        {"kind": "vllm"},
        {"kind": "vllm", "url": "no url"},
        {"kind": "gguf"},
        {"kind": "gguf", "path": "x", "sha256": "abc"},
        {"kind": "gguf", "path": "x", "adapters": {"a": None}},
        {"kind": "gguf", "path": "x", "adapter": "a"},
        {"kind": "triton"},
        {"kind": "magic", "url": "http://x"},
        {"kind": "vllm", "url": "http://x", "prompt_price": "-1"},
        {"kind": "vllm", "url": "http://x", "secret": "s3cr3t"},
    ],
)
def test_a_model_that_cannot_be_is_refused_without_showing_what_was_set(tmp_path: Path, model: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="generation") as raised:
        Settings.load(data_dir=tmp_path, generation=[model])
    assert "s3cr3t" not in str(raised.value)


def test_models_are_read_from_a_toml_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "llama-mapper.toml").write_text(
        '[[generation]]\nkind = "vllm"\nurl = "http://gpu:8000/v1"\nadapter = "mapper-1.0.0"\n'
        "completion_price = 0.002\n"
        '[[generation]]\nkind = "gguf"\npath = "/models/small.gguf"\n'
    )
    monkeypatch.chdir(tmp_path)
    first, second = Settings.load().generation
    assert (first.kind, first.adapter, first.completion_price) == ("vllm", "mapper-1.0.0", Decimal("0.002"))
    assert second.path == Path("/models/small.gguf")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tls_authorities": "/nowhere/ca.pem"}, "tls_authorities of gpu cannot be read"),
        ({"tls_certificate": None}, "set together"),
        ({"tls": False}, "no use without tls"),
        ({"headers": {"Authorization": "x"}}, "model_servers"),
        ({"headers": {"a": "secret\nx"}}, "model_servers"),
        ({"headers": {"grpc-timeout": "1"}}, "protocol's own"),
        ({"headers": {"a": "x"}, "header_files": {"a": "/nowhere"}}, "cannot be both"),
        ({"header_files": {"authorization": "/nowhere/token"}}, "/nowhere/token cannot be read"),
        ({"message_limit": 1}, "model_servers"),
        ({"keepalive_s": 0.1}, "model_servers"),
        ({"url": "http://x"}, "model_servers"),
    ],
)
def test_a_model_server_that_cannot_be_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    pytest.importorskip("tritonclient", reason="the extra `triton` is not installed")
    authority = Authority(tmp_path, "any")
    own = authority.signed("own")
    told = {
        "name": "gpu",
        "url": "127.0.0.1:9",
        "tls": True,
        "tls_authorities": str(authority.certificate),
        "tls_certificate": str(own.certificate),
        "tls_key": str(own.key),
        **changes,
    }
    server = {name: value for name, value in told.items() if value is not None}
    served = {"kind": "triton", "server": "gpu"}
    with pytest.raises(ConfigurationError, match=said) as caught:
        configured_models(Settings.load(data_dir=tmp_path, model_servers=[server], generation=[served]))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"generation": [{"kind": "triton", "server": "gpu"}]}, "model_servers has no gpu"),
        ({"generation": [{"kind": "triton", "server": "gpu", "url": "x:1"}]}, "url or server, and not both"),
        ({"generation": [{"kind": "vllm", "server": "gpu", "url": "http://x"}]}, "only a model of kind triton"),
        ({"mapping_embeddings": "triton"}, "needs mapping_embeddings_server"),
        ({"mapping_embeddings": "triton", "mapping_embeddings_server": "gpu"}, "model_servers has no gpu"),
        ({"model_servers": [{"name": "a", "url": "x:1"}, {"name": "a", "url": "y:1"}]}, "a name of its own"),
    ],
)
def test_names_of_model_servers_must_fit(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Settings.load(data_dir=tmp_path, **options)
