"""Rego in an OPA server, over its REST API.

Everything that an engine puts there is below a package of its own, `llama_mapper_engines.<name>`, one package a bundle
digest: many bundles and versions, and many processes, share one server and never see each other. Beside the bundle's
modules stands a *door*, put there last, which tells that all of the bundle is there and what its plan is. One request
to the door so answers both; a server that was restarted has no door and gets the bundle again.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from llama_mapper.adapters.orchestration.policies.rego_relocation import relocated
from llama_mapper.domain.kernel.errors import (
    ConfigurationError,
    ErrorCode,
    OrchestrationError,
    PolicyEnforcementError,
    ServiceError,
)
from llama_mapper.domain.kernel.trace import CURRENT_TRACE
from llama_mapper.domain.orchestration.ports import PolicyBundle

if TYPE_CHECKING:
    import httpx2

_RULE = "data.llama_mapper.policy.plan"
_ROOT = "llama_mapper_engines"
_DOOR = """\
package {root}.doors.{bundle}

there := true

plan := data.{root}.{bundle}.llama_mapper.policy.plan
"""
_IDLE_S = 3.0
_PUSH_TIMES = 10.0
_NOT_OURS = frozenset({401, 403, 404, 405})
_THE_POLICY = frozenset({"invalid_parameter", "invalid_operation", "resource_conflict"})
_EVALUATION = "eval_"

CAPACITY = 256
"""Bundles that an engine keeps on the server; the least recently used is taken off."""


def open_opa_client(
    base_url: str, *, token: str | None, timeout_s: float, transport: httpx2.AsyncBaseTransport | None = None
) -> httpx2.AsyncClient:
    """One pooled client for the server; close it with `aclose`. The environment's proxies are not used."""
    import httpx2

    headers = {"authorization": f"Bearer {token}"} if token else {}
    limits = httpx2.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=_IDLE_S)
    return httpx2.AsyncClient(
        base_url=base_url, headers=headers, timeout=timeout_s, limits=limits, transport=transport, trust_env=False
    )


class OpaPolicyEngine:
    """Keeps `PolicyEngine` on one OPA server, for one event loop.

    Raises `SERVICE_UNAVAILABLE` if the server cannot be reached and `REQUEST_TIMEOUT` if an evaluation takes longer
    than `timeout_s` (OPA gives up an evaluation whose caller has gone), both retryable; `CONFIGURATION_INVALID` if the
    server does not know us. Each step of pushing a bundle may take ten times as long. `name` is the engine's package;
    random by default, since two engines of one name would take each other's bundles off.
    """

    def __init__(
        self, client: httpx2.AsyncClient, timeout_s: float, *, capacity: int = CAPACITY, name: str | None = None
    ) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._capacity = capacity
        self._root = f"{_ROOT}.{name or 'e' + secrets.token_hex(8)}"
        self._pushed: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._changing = asyncio.Lock()

    async def evaluate(self, bundle: PolicyBundle, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """The bundle's plan; raise `POLICY_INVALID` if it does not compile, fails, or gives no object."""
        key = f"b{bundle.digest.removeprefix('sha256:')}"
        body = _json({"input": facts})
        found = await self._ask(key, body)
        if found is None:
            async with self._changing:
                found = await self._ask(key, body)  # another request may have put it there meanwhile
                if found is None:
                    await self._push(key, bundle)
                    found = await self._ask(key, body)
        if found is None:
            raise _unavailable("lost a policy while it was asked")
        if key in self._pushed:
            self._pushed.move_to_end(key)
        plan = found.get("plan")
        if not isinstance(plan, dict):
            raise PolicyEnforcementError(f"{_RULE} is undefined or not an object")
        return plan

    async def close(self) -> None:
        """Take everything off the server, as far as it answers, and close the connections."""
        try:
            async with self._changing:
                while self._pushed:
                    await self._take_off(next(iter(self._pushed)))
        except ServiceError:
            # The server is gone, and with it what was on it; or an operator sweeps `llama_mapper_engines`.
            self._pushed.clear()
        finally:
            await self._client.aclose()

    async def _ask(self, key: str, body: bytes) -> Mapping[str, Any] | None:
        """What the door says, None if there is none."""
        path = "/".join((*self._root.split("."), "doors", key))
        answer = await self._call("POST", f"/v1/data/{path}", body, self._timeout_s)
        found = answer.get("result")
        return found if isinstance(found, dict) and found.get("there") is True else None

    async def _push(self, key: str, bundle: PolicyBundle) -> None:
        root = f"{self._root}.{key}"
        modules = {path: relocated(path, bundle.modules[path], root) for path in sorted(bundle.modules)}
        while len(self._pushed) >= self._capacity:
            await self._take_off(next(iter(self._pushed)))
        ids = [f"{root}/{path}" for path in modules]
        self._pushed[key] = (f"{root}/door", *ids)
        try:
            await self._call("PUT", f"/v1/data/{root.replace('.', '/')}", _json(dict(bundle.data)), self._push_s)
            await self._push_modules(root, modules)
            door = _DOOR.format(root=self._root, bundle=key)
            await self._call("PUT", _policy(f"{root}/door"), door.encode(), self._push_s)
        except PolicyEnforcementError:
            await self._take_off(key)
            raise

    async def _push_modules(self, root: str, modules: Mapping[str, str]) -> None:
        """One after the other, since OPA takes no two at once; one whose functions are still missing waits for them."""
        waiting = list(modules)
        while waiting:
            refused: dict[str, PolicyEnforcementError] = {}
            for path in waiting:
                try:
                    await self._call("PUT", _policy(f"{root}/{path}"), modules[path].encode(), self._push_s, root)
                except PolicyEnforcementError as error:
                    refused[path] = error
            if len(refused) == len(waiting):
                raise refused[waiting[0]]
            waiting = list(refused)

    async def _take_off(self, key: str) -> None:
        """Remove a bundle, its door first, so that nobody meets half of it."""
        waiting = list(self._pushed.get(key, ()))
        while waiting:
            kept = [each for each in waiting if not await self._deleted(_policy(each))]
            if len(kept) == len(waiting):
                break
            waiting = kept
        await self._deleted(f"/v1/data/{self._root.replace('.', '/')}/{key}")
        self._pushed.pop(key, None)

    async def _deleted(self, path: str) -> bool:
        """Whether it is gone; OPA keeps a module whose functions another one calls."""
        try:
            await self._call("DELETE", path, None, self._push_s)
        except PolicyEnforcementError:
            return False
        return True

    @property
    def _push_s(self) -> float:
        return self._timeout_s * _PUSH_TIMES

    async def _call(
        self, method: str, path: str, body: bytes | None, timeout_s: float, root: str = ""
    ) -> Mapping[str, Any]:
        import httpx2

        headers = {"content-type": "text/plain" if path.startswith("/v1/policies/") else "application/json"}
        if (trace := CURRENT_TRACE.get()) is not None:
            headers |= trace.headers
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._client.request(method, path, content=body, headers=headers, timeout=timeout_s)
        except (TimeoutError, httpx2.TimeoutException) as error:
            message = f"the policy server gave no answer within {timeout_s:g} s"
            raise OrchestrationError(message, ErrorCode.REQUEST_TIMEOUT, True) from error
        except httpx2.HTTPError as error:
            raise _unavailable(f"cannot be reached ({type(error).__name__})") from error
        if response.is_success and not response.content:
            return {}
        try:
            answer = json.loads(response.content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            answer = {}
            if response.is_success:
                message = "the policy server gave an answer that is not OPA's"
                raise OrchestrationError(message, ErrorCode.UPSTREAM_INVALID_RESPONSE, False)
        if response.is_success or (method == "DELETE" and answer.get("code") == "resource_not_found"):
            return answer
        raise _error(response.status_code, answer, root)


def _policy(identifier: str) -> str:
    return f"/v1/policies/{quote(identifier)}"


def _json(value: object) -> bytes:
    try:
        return json.dumps(value, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise PolicyEnforcementError(f"the policy's data or facts are not JSON: {error}") from error


def _unavailable(what: str) -> OrchestrationError:
    return OrchestrationError(f"the policy server {what}", ErrorCode.SERVICE_UNAVAILABLE, True)


def _error(status: int, answer: Mapping[str, Any], root: str) -> ServiceError:
    """What a refusal means: the policy is wrong, the server is not there, or it is not ours to use."""
    errors = [each for each in answer.get("errors") or () if isinstance(each, dict)]
    codes = {str(each.get("code")) for each in errors}
    if "eval_cancel_error" in codes:
        return OrchestrationError("the policy server gave up an evaluation", ErrorCode.REQUEST_TIMEOUT, True)
    if status < 500 and answer.get("code") in _THE_POLICY:
        what = "; ".join(_told(each, root) for each in errors) or str(answer.get("message"))
        return PolicyEnforcementError(f"the policy does not compile: {what[:2000]}")
    if any(code.startswith(_EVALUATION) for code in codes):
        what = "; ".join(str(each.get("message")) for each in errors)
        return PolicyEnforcementError(f"the policy could not be evaluated: {what[:2000]}")
    if status in _NOT_OURS:
        return ConfigurationError(f"the policy server answered {status}: its URL or token is not set as it should be")
    return _unavailable(f"cannot answer (status {status})")


def _told(error: Mapping[str, Any], root: str) -> str:
    """One compile error with its place; columns are left out, for moving a module shifts them."""
    place = error.get("location")
    place = place if isinstance(place, dict) else {}
    message = f"{place.get('file', '')}:{place.get('row', 0)}: {error.get('message')}"
    return message.replace(f"{root}/", "").replace(f"{root}.", "")
