"""Models to register: small, and with files that would load."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from llama_mapper.adapters.mapping.model_folders import LocalModelFolders, files_in
from llama_mapper.adapters.mapping.model_loading import HeaderLoadCheck
from llama_mapper.adapters.platform.ed25519_signer import Ed25519Signer, Ed25519Verifier
from llama_mapper.domain.contracts.catalogue import CatalogueVersions
from llama_mapper.domain.contracts.models import (
    ModelActor,
    ModelDescription,
    ModelDoor,
    ModelKind,
    ModelStage,
    ModelVersion,
)
from llama_mapper.domain.kernel.objects import ObjectStore
from llama_mapper.domain.kernel.tenancy import EVERYONE
from llama_mapper.domain.mapping.models.gate import Bound, Gate
from llama_mapper.domain.mapping.models.ports import ModelRecords, ModelsInUse
from llama_mapper.domain.mapping.models.publishing import ModelPublisher
from llama_mapper.domain.mapping.models.service import ModelRegistry, RegistryTerms, nothing_in_use
from llama_mapper.domain.mapping.models.serving import ServingModels
from llama_mapper.domain.mapping.models.shelf import ModelShelf

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ANNA = ModelActor(name="anna", door=ModelDoor.HTTP)
HERE = CatalogueVersions(taxonomy="1.1.0", vocabulary="1.2.0", crosswalk="1.1.0")
GOOD = {"level2_accuracy": 0.8}
RANK = 2
MODULE = "base_model.model.model.layers.0.self_attn.q_proj"


def safetensors(tensors: Mapping[str, tuple[str, list[int], bytes]]) -> bytes:
    """A file of these tensors: name → type, shape, bytes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, (kind, shape, content) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + len(content)]}
        at += len(content)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(content for _, _, content in tensors.values())


def lora_weights(seed: int = 0) -> bytes:
    """Weights of a LoRA adapter for one module."""
    side = bytes([seed % 256]) * (RANK * 4 * 4)
    return safetensors(
        {f"{MODULE}.lora_A.weight": ("F32", [RANK, 4], side), f"{MODULE}.lora_B.weight": ("F32", [4, RANK], side)}
    )


def lora_folder(folder: Path, seed: int = 0, **config: Any) -> Path:
    """A folder with a LoRA adapter, as training leaves one."""
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(lora_weights(seed))
    told = {"peft_type": "LORA", "r": RANK, "target_modules": ["q_proj"], "base_model_name_or_path": "tiny", **config}
    (folder / "adapter_config.json").write_text(json.dumps(told))
    data = hashlib.sha256(bytes([seed % 256])).hexdigest()
    (folder / "card.json").write_text(json.dumps({"task": "mapper", "digest": f"sha256:{data}"}))
    (folder / "metrics.json").write_text(json.dumps(GOOD))
    return folder


class Shop:
    """A registry over given stores, with a clock to set and a key of its own."""

    def __init__(
        self,
        records: ModelRecords,
        objects: ObjectStore,
        folder: Path,
        *,
        gate: Gate | None = None,
        keep: int = 5,
        in_use: ModelsInUse = nothing_in_use,
        catalogue: Callable[[], CatalogueVersions] = lambda: HERE,
    ) -> None:
        self.now = NOON
        self.folder = folder
        self.objects = objects
        self.records = records
        key = Ed25519PrivateKey.generate()
        self.signer = Ed25519Signer(key)
        self.trusted = {self.signer.keyid: Ed25519Verifier(key.public_key())}
        self.shelf = ModelShelf(
            objects, LocalModelFolders(objects, folder / "scratch"), HeaderLoadCheck(), lambda: self.trusted
        )
        gates = {ModelKind.MAPPER: {"level2_accuracy": Bound(0.5)} if gate is None else gate}
        self.registry = ModelRegistry(
            records=records,
            shelf=self.shelf,
            objects=objects,
            signer=lambda: self.signer,
            catalogue=catalogue,
            clock=self.clock,
            terms=RegistryTerms(gates, dict.fromkeys(ModelStage, keep)),
            in_use=in_use,
        )
        self.publisher = ModelPublisher(records, self.registry)
        self.serving = ServingModels(records, catalogue, self.clock, look_every_s=0.0)

    def clock(self) -> datetime:
        """Each look is a second later."""
        self.now += timedelta(seconds=1)
        return self.now

    async def published(
        self, version: str | None = None, seed: int = 0, owner: str = EVERYONE, **changes: Any
    ) -> ModelVersion:
        """A registered version of a LoRA adapter."""
        folder = self.folder / f"lora-{seed}"
        if not folder.exists():
            lora_folder(folder, seed)
        described = {
            "name": "llama3_mapper",
            "kind": ModelKind.MAPPER,
            "base_model": "tiny",
            "metrics": GOOD,
            **changes,
        }
        description = ModelDescription(version=version, **described)
        return await self.publisher.publish(owner, description, await files_in(folder), ANNA)
