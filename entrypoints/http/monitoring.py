"""How mapping is doing, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from math import isfinite
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from llama_mapper.domain.contracts.monitoring import (
    AnomalyReport,
    Asking,
    CapacityReport,
    CauseMetric,
    CauseReport,
    CorrelationReport,
    DriftReport,
    MonitoringAlertList,
    MonitoringApi,
    ReferenceAnswer,
    ReferenceRequest,
    ThroughputReport,
)
from llama_mapper.domain.kernel.errors import AuthorizationError, ErrorCode, ValidationError
from llama_mapper.domain.kernel.tenancy import EVERYONE, Principal, Scope
from llama_mapper.entrypoints.http.answers import json_answer
from llama_mapper.entrypoints.http.bodies import read_model
from llama_mapper.entrypoints.http.operations import Operation, QueryParameter

_BODY_LIMIT = 16_384
_MOST_TEXT = 64
_TRUTHS = {"true": True, "false": False}
_MOMENT: dict[str, object] = {"type": "string", "format": "date-time", "maxLength": _MOST_TEXT}

Number = TypeVar("Number", int, float)
Chosen = TypeVar("Chosen")

_SINCE = QueryParameter("since", "From when, with a time zone.", _MOMENT)
_UNTIL = QueryParameter("until", "Up to when; now by default.", _MOMENT)
_WINDOW = QueryParameter("window_s", "Seconds of the windows.", {"type": "integer", "enum": [60, 3600]})
_ALL = QueryParameter(
    "installation",
    "The sum of all tenants; for the operator's credentials only.",
    {"type": "boolean", "default": False},
)
_SPAN = (_SINCE, _UNTIL, _WINDOW, _ALL)
_COMPARED = (
    *_SPAN,
    QueryParameter("reference_since", "Where the span begins that it is compared with.", _MOMENT),
    QueryParameter("reference_until", "Where it ends.", _MOMENT),
)


def monitoring_operations(api: MonitoringApi, operator_tenant: str) -> list[Operation]:
    """`/v1/monitoring`: reports, alerts and the reference."""

    def whose(request: Request, principal: Principal) -> str:
        own = principal.tenant_for(None)
        if not _one_of(request, "installation", _TRUTHS, False):
            return own
        if own != operator_tenant:
            raise AuthorizationError("the sum of all tenants is for the operator")
        return EVERYONE

    async def throughput(request: Request, principal: Principal) -> Response:
        return json_answer(await api.throughput(whose(request, principal), _asked(request)))

    async def drift(request: Request, principal: Principal) -> Response:
        return json_answer(await api.drift(whose(request, principal), _asked(request)))

    async def anomalies(request: Request, principal: Principal) -> Response:
        return json_answer(await api.anomalies(whose(request, principal), _number(request, "days", int, 7)))

    async def correlations(request: Request, principal: Principal) -> Response:
        return json_answer(await api.correlations(whose(request, principal), _asked(request)))

    async def causes(request: Request, principal: Principal) -> Response:
        known = {metric.value: metric for metric in CauseMetric}
        metric = _one_of(request, "metric", known, CauseMetric.ABSTENTION)
        return json_answer(await api.causes(whose(request, principal), metric, _asked(request)))

    async def capacity(request: Request, principal: Principal) -> Response:
        growth, utilisation = _number(request, "growth", float, 2.0), _number(request, "utilisation", float, 0.7)
        days = _number(request, "days", int, 28)
        return json_answer(await api.capacity(whose(request, principal), growth, utilisation, days))

    async def alerts(_: Request, principal: Principal) -> Response:
        return json_answer(await api.alerts(principal.tenant_for(None)))

    async def reference(_: Request, principal: Principal) -> Response:
        return json_answer(await api.reference(principal.tenant_for(None)))

    async def set_reference(request: Request, principal: Principal) -> Response:
        asked = await read_model(request, ReferenceRequest, _BODY_LIMIT)
        return json_answer(await api.set_reference(principal.tenant_for(None), asked, principal.name))

    async def remove_reference(_: Request, principal: Principal) -> Response:
        return json_answer(await api.remove_reference(principal.tenant_for(None)))

    days: dict[str, object] = {"type": "integer", "minimum": 1, "maximum": 90}
    return [
        Operation(
            id="getThroughput",
            method="GET",
            path="/v1/monitoring/throughput",
            tag="monitoring",
            summary="Labels a second by window and stage, peaks, utilisation; the last hour by default.",
            scope=Scope.READ,
            handler=throughput,
            responses={200: (ThroughputReport,)},
            errors=(ErrorCode.INVALID_REQUEST,),
            query=_SPAN,
        ),
        Operation(
            id="getDrift",
            method="GET",
            path="/v1/monitoring/drift",
            tag="monitoring",
            summary="How far today's labels, stages, vendors, confidences and abstentions are from a reference.",
            scope=Scope.READ,
            handler=drift,
            responses={200: (DriftReport,)},
            errors=(ErrorCode.INVALID_REQUEST,),
            query=_COMPARED,
        ),
        Operation(
            id="getAnomalies",
            method="GET",
            path="/v1/monitoring/anomalies",
            tag="monitoring",
            summary="Hours, and days of cost, that are far from what is usual.",
            scope=Scope.READ,
            handler=anomalies,
            responses={200: (AnomalyReport,)},
            errors=(ErrorCode.INVALID_REQUEST,),
            query=(QueryParameter("days", "How many days, up to now.", {**days, "default": 7}), _ALL),
        ),
        Operation(
            id="getCorrelations",
            method="GET",
            path="/v1/monitoring/correlations",
            tag="monitoring",
            summary="What goes up and down together; the last seven days by default.",
            scope=Scope.READ,
            handler=correlations,
            responses={200: (CorrelationReport,)},
            errors=(ErrorCode.INVALID_REQUEST,),
            query=_SPAN,
        ),
        Operation(
            id="getCauses",
            method="GET",
            path="/v1/monitoring/causes",
            tag="monitoring",
            summary="Which vendor, stage or version explains a change, when it began, and what was changed near it.",
            scope=Scope.READ,
            handler=causes,
            responses={200: (CauseReport,)},
            errors=(ErrorCode.INVALID_REQUEST,),
            query=(
                QueryParameter(
                    "metric",
                    "What changed.",
                    {"type": "string", "enum": [metric.value for metric in CauseMetric], "default": "abstention"},
                ),
                *_COMPARED,
            ),
        ),
        Operation(
            id="getCapacity",
            method="GET",
            path="/v1/monitoring/capacity",
            tag="monitoring",
            summary="Places that the peaks need when traffic grows, and days until those of now are used up.",
            scope=Scope.READ,
            handler=capacity,
            responses={200: (CapacityReport,)},
            errors=(ErrorCode.INVALID_REQUEST,),
            query=(
                QueryParameter(
                    "growth",
                    "By which factor traffic grows.",
                    {"type": "number", "minimum": 0.01, "maximum": 1000, "default": 2.0},
                ),
                QueryParameter(
                    "utilisation",
                    "How much of the places may be used.",
                    {"type": "number", "minimum": 0.05, "maximum": 0.99, "default": 0.7},
                ),
                QueryParameter("days", "Days whose peaks count.", {**days, "default": 28}),
                _ALL,
            ),
        ),
        Operation(
            id="listMonitoringAlerts",
            method="GET",
            path="/v1/monitoring/alerts",
            tag="monitoring",
            summary="What was noticed, newest first.",
            scope=Scope.READ,
            handler=alerts,
            responses={200: (MonitoringAlertList,)},
        ),
        Operation(
            id="getMonitoringReference",
            method="GET",
            path="/v1/monitoring/reference",
            tag="monitoring",
            summary="The span that the tenant's mapping is compared with.",
            scope=Scope.READ,
            handler=reference,
            responses={200: (ReferenceAnswer,)},
        ),
        Operation(
            id="setMonitoringReference",
            method="PUT",
            path="/v1/monitoring/reference",
            tag="monitoring",
            summary="Compare with this span from now on.",
            scope=Scope.ADMIN,
            handler=set_reference,
            requests=(ReferenceRequest,),
            responses={200: (ReferenceAnswer,)},
            errors=(ErrorCode.INVALID_REQUEST,),
            example={"since": "2026-03-02T00:00:00Z", "until": "2026-03-09T00:00:00Z"},
        ),
        Operation(
            id="removeMonitoringReference",
            method="DELETE",
            path="/v1/monitoring/reference",
            tag="monitoring",
            summary="Compare with the days before again.",
            scope=Scope.ADMIN,
            handler=remove_reference,
            responses={200: (ReferenceAnswer,)},
        ),
    ]


def _asked(request: Request) -> Asking:
    window = request.query_params.get("window_s")
    if window is not None and window not in ("60", "3600"):
        raise ValidationError("window_s is 60 or 3600")
    return Asking(
        since=_moment(request, "since"),
        until=_moment(request, "until"),
        reference_since=_moment(request, "reference_since"),
        reference_until=_moment(request, "reference_until"),
        window_s=None if window is None else int(window),
    )


def _moment(request: Request, name: str) -> datetime | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text) if len(text) <= _MOST_TEXT else None
    except ValueError:
        found = None
    # Years beside these cannot be moved by some days without leaving the calendar.
    if found is None or found.tzinfo is None or not 1971 <= found.year <= 9000:
        raise ValidationError(f"{name} is a moment with its time zone, as 2026-03-10T12:00:00Z")
    return found


def _one_of(request: Request, name: str, known: dict[str, Chosen], default: Chosen) -> Chosen:
    text = request.query_params.get(name)
    if text is None:
        return default
    if text not in known:
        raise ValidationError(f"{name} is one of {', '.join(known)}")
    return known[text]


def _number(request: Request, name: str, read: Callable[[str], Number], default: Number) -> Number:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        if len(text) <= _MOST_TEXT and isfinite(found := read(text)):
            return found
    except ValueError:
        pass
    raise ValidationError(f"{name} is a number")
