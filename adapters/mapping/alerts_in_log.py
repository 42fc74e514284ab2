"""Alerts about costs and about how mapping is doing as lines of the log."""

from __future__ import annotations

import structlog

from llama_mapper.domain.contracts.costs import CostAlert
from llama_mapper.domain.contracts.monitoring import MonitoringAlert


class AlertsInLog:
    """Keeps the `AlertSink` of costs and that of monitoring: one warning an alert."""

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
