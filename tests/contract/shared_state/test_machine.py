"""No sequence of calls makes a store of idempotency records or a cache differ from its model."""

from __future__ import annotations

import secrets
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from llama_mapper.domain.kernel.idempotency import Conflict, Done, Fresh, RecordName, Running
from tests.support.loops import LoopThread
from tests.support.shared_state import KINDS, Ports, open_ports

Result = TypeVar("Result")

TENANTS = st.sampled_from(["acme", "globex"])
SHORT = st.sampled_from(["a", "b", "a:b"])
PLAIN = st.sampled_from(["x", "y"])
BYTES = st.binary(max_size=20)
DIGESTS = st.sampled_from([b"1" * 32, b"2" * 32])


class SharedStateMachine(RuleBasedStateMachine):
    """Both stores beside a model of each; each example has tenants of its own on a server that all share."""

    ports: ClassVar[Ports]
    loop: ClassVar[LoopThread]

    def __init__(self) -> None:
        super().__init__()
        self.run_id = secrets.token_hex(6)
        self.records: dict[RecordName, tuple[bytes, str | None, bytes | None]] = {}  # digest, token, answer
        self.ended: list[tuple[RecordName, str]] = []
        self.values: dict[tuple[str, str, str], bytes] = {}
        self.stale: list[tuple[str, str, bytes]] = []  # tenant, namespace, a generation from before an invalidation

    def do(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """The coroutine's result."""
        return self.loop.run(coroutine)

    def named(self, tenant: str, operation: str, key: str) -> RecordName:
        """A record of this example's own."""
        return RecordName(f"{tenant}-{self.run_id}", operation, key)

    @rule(tenant=TENANTS, operation=PLAIN, key=SHORT, digest=DIGESTS)
    def begin(self, tenant: str, operation: str, key: str, digest: bytes) -> None:
        name = self.named(tenant, operation, key)
        begun = self.do(self.ports.idempotency.begin(name, digest, 3600))
        if (known := self.records.get(name)) is None:
            assert isinstance(begun, Fresh)
            self.records[name] = (digest, begun.token, None)
        elif known[0] != digest:
            assert begun == Conflict()
        else:
            assert begun == (Running() if known[2] is None else Done(known[2]))

    @rule(tenant=TENANTS, operation=PLAIN, key=SHORT, answer=BYTES)
    def complete(self, tenant: str, operation: str, key: str, answer: bytes) -> None:
        name = self.named(tenant, operation, key)
        digest, token, _ = self.records.get(name, (b"", None, None))
        if token is None:
            assert not self.do(self.ports.idempotency.complete(name, "nobody's", answer, 3600))
            return
        assert self.do(self.ports.idempotency.complete(name, token, answer, 3600))
        self.records[name] = (digest, None, answer)
        self.ended.append((name, token))

    @rule(tenant=TENANTS, operation=PLAIN, key=SHORT)
    def abandon(self, tenant: str, operation: str, key: str) -> None:
        name = self.named(tenant, operation, key)
        _, token, _ = self.records.get(name, (b"", None, None))
        self.do(self.ports.idempotency.abandon(name, token or "nobody's"))
        if token is not None:
            del self.records[name]
            self.ended.append((name, token))

    @rule(answer=BYTES)
    def use_an_ended_claim(self, answer: bytes) -> None:
        if self.ended:
            name, token = self.ended[-1]
            assert not self.do(self.ports.idempotency.complete(name, token, answer, 3600))
            self.do(self.ports.idempotency.abandon(name, token))

    @rule(tenant=TENANTS, namespace=PLAIN, key=SHORT, value=BYTES)
    def put(self, tenant: str, namespace: str, key: str, value: bytes) -> None:
        owner = f"{tenant}-{self.run_id}"
        generation = self.look(owner, namespace, key)
        self.do(self.ports.cache.put(owner, namespace, key, value, generation=generation, ttl_s=3600))
        self.values[owner, namespace, key] = value

    @rule(tenant=TENANTS, namespace=PLAIN, key=SHORT)
    def get(self, tenant: str, namespace: str, key: str) -> None:
        self.look(f"{tenant}-{self.run_id}", namespace, key)

    @rule(tenant=TENANTS, namespace=PLAIN)
    def invalidate(self, tenant: str, namespace: str) -> None:
        owner = f"{tenant}-{self.run_id}"
        self.stale.append((owner, namespace, self.look(owner, namespace, "a")))
        self.do(self.ports.cache.invalidate(owner, namespace))
        self.values = {name: value for name, value in self.values.items() if name[:2] != (owner, namespace)}

    @rule(key=SHORT, value=BYTES)
    def put_what_was_computed_before(self, key: str, value: bytes) -> None:
        if self.stale:
            owner, namespace, generation = self.stale[-1]
            self.do(self.ports.cache.put(owner, namespace, key, value, generation=generation, ttl_s=3600))
            self.values.pop((owner, namespace, key), None)

    def look(self, owner: str, namespace: str, key: str) -> bytes:
        """Check a look-up against the model; give the generation."""
        found = self.do(self.ports.cache.get(owner, namespace, key))
        assert found.value == self.values.get((owner, namespace, key))
        return found.generation


@pytest.mark.parametrize("kind", KINDS)
def test_no_sequence_of_calls_leads_off_the_model(kind: str, valkey: str) -> None:
    loop, stack = LoopThread(), AsyncExitStack()
    try:
        ports = loop.run(stack.enter_async_context(open_ports(kind, valkey)))
        machine = type(f"SharedStateOn{kind.title().replace(' ', '')}", (SharedStateMachine,), {})
        machine.ports, machine.loop = ports, loop  # type: ignore[attr-defined]  # the class was made a line ago
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=25,
                stateful_step_count=30,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        loop.run(stack.aclose())
        loop.close()
