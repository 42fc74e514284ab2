"""Alerts about costs and about how mapping is doing as lines of the log."""

from __future__ import annotations

import structlog

from llama_mapper.domain.contracts.cost_optimisation import StoredRecommendation
from llama_mapper.domain.contracts.costs import CostAlert
from llama_mapper.domain.contracts.monitoring import MonitoringAlert


class AlertsInLog:
    """Keeps the `AlertSink` of costs and that of monitoring: a warning an alert, a line a recommendation."""

    def tell(self, tenant_id: str, alert: CostAlert | MonitoringAlert) -> None:
        """Tell whoever watches."""
        if isinstance(alert, MonitoringAlert):
            structlog.get_logger("llama_mapper.monitoring").warning(
                "mapping has changed",
                tenant_id=tenant_id,
                kind=alert.kind.value,
                subject=alert.subject,
                value=round(alert.value, 4),
                threshold=alert.threshold,
            )
            return
        structlog.get_logger("llama_mapper.costs").warning(
            "cost budget reached",
            tenant_id=tenant_id,
            period=alert.period.value,
            period_began=alert.period_began.isoformat(),
            share=alert.share,
            spent_usd=round(alert.spent, 6),
            limit_usd=alert.limit,
        )

    def recommend(self, tenant_id: str, told: StoredRecommendation) -> None:
        """Tell whoever watches what the optimiser recommends."""
        advised = told.recommendation
        structlog.get_logger("llama_mapper.costs").info(
            "cost recommendation",
            tenant_id=tenant_id,
            forecast=advised.forecast,
            change=advised.change,
            saving_usd=round(advised.saving, 6),
            loss=round(advised.loss, 6),
            reason=advised.reason,
            applied_version=told.applied_version,
        )
