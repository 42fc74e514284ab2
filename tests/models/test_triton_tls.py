"""A real tritonserver that speaks TLS only, and wants to know who calls."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llama_mapper.domain.kernel.tenancy import Scope
from llama_mapper.domain.mapping.generation.ports import Generated, GenerationFault
from llama_mapper.entrypoints.containers.generation import configured_models
from llama_mapper.entrypoints.settings import Settings
from tests.contract.generation.contract import ENOUGH_S, asking, good
from tests.models.test_triton_faults import ODD_MODELS
from tests.support.certificates import Authority, Signed
from tests.support.doors import open_door
from tests.support.triton import TritonServer

TOKEN = "secret-of-the-gateway"
HEADER = "triton-grpc-protocol-caller"
"""What the server wants with every inference."""


@dataclass(frozen=True, slots=True)
class Secured:
    server: TritonServer
    ours: Authority
    others: Authority
    own: Signed
    strangers: Signed

    def settings(self, **changes: Any) -> dict[str, Any]:
        told = {
            "name": "gpu",
            "url": self.server.address.target,
            "tls": True,
            "tls_authorities": str(self.ours.certificate),
            "tls_certificate": str(self.own.certificate),
            "tls_key": str(self.own.key),
            **changes,
        }
        return {name: value for name, value in told.items() if value is not None}


@pytest.fixture(scope="module")
def secured(models_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("tls")
    ours, others = Authority(folder / "certificates", "ours"), Authority(folder / "certificates", "others")
    served, own, strangers = ours.signed("server"), ours.signed("mapper"), others.signed("mapper")
    options = {
        "grpc-use-ssl": "true",
        "grpc-use-ssl-mutual": "true",
        "grpc-server-cert": served.certificate,
        "grpc-server-key": served.key,
        "grpc-root-cert": ours.certificate,
        "grpc-restricted-protocol": f"inference:caller={TOKEN}",
    }
    arguments = [part for name, value in options.items() for part in ("--option", f"{name}={value}")]
    with TritonServer(models_python, folder, "--models", "own", "--repository", ODD_MODELS, *arguments) as server:
        yield Secured(server, ours, others, own, strangers)


def model(**more: Any) -> dict[str, Any]:
    return {"kind": "triton", "server": "gpu", "model": "odd", **more}


async def test_with_its_certificates_and_a_token_from_a_file_the_models_answer(
    secured: Secured, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("yesterdays-token\n")
    server = secured.settings(headers={"x-team": "mapping"}, header_files={HEADER: str(token)})
    settings = Settings.load(data_dir=tmp_path, model_servers=[server], generation=[model()])
    models = configured_models(settings).chain(None)
    assert models is not None

    async def asked() -> Generated | GenerationFault:
        return (await models.generate([asking("good")], within_s=ENOUGH_S))[0]

    try:
        assert await models.unready() is None
        assert isinstance(await asked(), GenerationFault)
        token.write_text(f"{TOKEN}\n")
        async with asyncio.timeout(ENOUGH_S):
            while not isinstance(await asked(), Generated):
                await asyncio.sleep(0.1)
        assert good(await asked()).text == '"pear"'
        token.unlink()  # it is about to be replaced
        await asyncio.sleep(1.1)
        assert isinstance(await asked(), Generated)
    finally:
        await models.close()


@pytest.mark.parametrize("wrong", ["authority", "own certificate", "no certificate", "no tls"])
async def test_without_the_right_certificates_it_is_said_and_the_next_stage_answers(
    secured: Secured, tmp_path: Path, wrong: str
) -> None:
    changes: dict[str, dict[str, Any]] = {
        "authority": {"tls_authorities": str(secured.others.certificate)},
        "own certificate": {
            "tls_certificate": str(secured.strangers.certificate),
            "tls_key": str(secured.strangers.key),
        },
        "no certificate": {"tls_certificate": None, "tls_key": None},
        "no tls": {"tls": False, "tls_authorities": None, "tls_certificate": None, "tls_key": None},
    }
    server = secured.settings(**changes[wrong])
    options: dict[str, Any] = {
        "model_servers": [server],
        "generation": [model()],
        "mapping_stages": ["lexical", "embedding"],
        "mapping_embeddings": "triton",
        "mapping_embeddings_server": "gpu",
        "mapping_embeddings_served": "letters",
        "mapping_threshold": 0.999,
        "mapping_stage_timeout_ms": 5_000,
    }
    async with open_door(tmp_path / "data", [], **options) as door:
        key = await door.new_key("local", Scope.READ, Scope.ASSESS)
        async with asyncio.timeout(ENOUGH_S):
            while "degraded" not in door.running.notes().get("model_server.gpu", ""):
                await asyncio.sleep(0.05)
        notes = door.running.notes()
        expected = {"tls_failed"} if wrong == "authority" else {"tls_failed", "unavailable"}
        (shown,) = (await door.client.get("/v1/model-servers", headers=key)).json()["items"]
        assert shown["fault"] in expected, notes
        body = {"labels": [{"vendor": "nobody_knows", "label": "credit card number"}], "min_confidence": 0.3}
        answer = await door.client.post("/v1/map:batch", json=body, headers=key)
        mapped = answer.json()["mappings"][0]
        assert mapped["stage"] == "lexical"
        assert mapped["canonical"].startswith("pii.financial_data")
        assert mapped["faults"][0] in {"embedding: not_ready", "embedding: service_unavailable"}
        body["min_confidence"] = 0.999
        asked = (await door.client.post("/v1/map:batch", json=body, headers=key)).json()["mappings"][0]
        faults = {each for each in asked["faults"] if each.startswith("model: ")}
        assert faults <= {f"model: models_{fault}" for fault in expected} | {f"model: triton_{f}" for f in expected}
        assert faults
