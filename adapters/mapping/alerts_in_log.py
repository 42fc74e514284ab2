"""Cost alerts as lines of the log."""

from __future__ import annotations

import structlog

from llama_mapper.domain.contracts.costs import CostAlert


class AlertsInLog:
    """Keeps `AlertSink`'s promise: one warning an alert."""

    def tell(self, tenant_id: str, alert: CostAlert) -> None:
        """Tell whoever watches."""
        structlog.get_logger("llama_mapper.costs").warning(
            "cost budget reached",
            tenant_id=tenant_id,
            period=alert.period.value,
            period_began=alert.period_began.isoformat(),
            share=alert.share,
            spent_usd=round(alert.spent, 6),
            limit_usd=alert.limit,
        )
