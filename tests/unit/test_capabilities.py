"""`docs/capabilities.md` has every component of the requirements, and names what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUIRED = {
    "api": "orchestration policy registry health",
    "core": "coordinator router aggregator conflict_resolver",
    "policy": "manager engine store validator versioning migration",
    "schemas": "orchestration_schemas policy_schemas detector_schemas routing_schemas",
    "discovery": "detector_manager health_monitor registry config_reloader",
    "resilience": "circuit_breaker rate_limiter retry_handler",
    "cache": "idempotency response_cache redis_backend",
    "security": "api_key_manager jwt_security secrets_rotation rbac_manager permissions roles attack_detector"
    " sql_injection xss_protection command_injection path_traversal field_encryption vault_integration"
    " input_sanitizer security_validator",
    "monitoring": "prometheus_metrics business_metrics security_metrics correlation_id opentelemetry jaeger_exporter"
    " structured_logger log_scrubber health_checker dependency_monitor alert_manager escalation incident_response",
    "cli": "detector_commands policy_commands health_commands",
    "tenancy": "tenant_manager tenant_isolation tenant_routing tenant_config",
    "plugins": "plugin_manager detector_plugins policy_plugins extension_points",
    "pipelines": "orchestration_pipeline validation_pipeline audit_pipeline",
    "config": "settings detector_config policy_config tenant_config",
}
A_TEST = re.compile("^(async )?def test_", re.MULTILINE)
MAY_COME_LATER = {"security", "monitoring", "tenancy"}


def rows() -> dict[tuple[str, str], tuple[str, str]]:
    """What each component's row says of where it lives and what shows it, by group and component."""
    text = (ROOT / "docs" / "capabilities.md").read_text("utf-8")
    group, found = "", {}
    for line in text.splitlines():
        if heading := re.fullmatch(r"\| \*\*(\w+)\*\* \| \| \|", line):
            group = heading[1]
        elif row := re.fullmatch(r"\| `(\w+)`[^|]*\| ([^|]*)\|([^|]*)\|", line):
            assert (group, row[1]) not in found
            found[group, row[1]] = row[2].strip(), row[3].strip()
    return found


ROWS = rows()


def test_every_component_of_the_requirements_has_its_row_and_nothing_else_has() -> None:
    assert list(ROWS) == [(group, name) for group, names in REQUIRED.items() for name in names.split()]


@pytest.mark.parametrize(("group", "component"), ROWS)
def test_a_row_names_modules_and_tests_that_exist_or_says_later(group: str, component: str) -> None:
    lives, shown = (re.findall(r"`([^`]+)`", cell) for cell in ROWS[group, component])
    if not lives:
        assert group in MAY_COME_LATER
        assert ROWS[group, component][0].startswith("later")
        assert not shown
        return
    assert shown
    assert all(
        path.startswith("tests/") and re.search("^(async )?def test_", text(path), re.MULTILINE) for path in shown
    )
    assert all(path.startswith(("domain/", "adapters/", "entrypoints/")) and text(path) for path in lives)


def text(path: str) -> str:
    """The file's content; raise `FileNotFoundError` where there is none."""
    return (ROOT / path).read_text("utf-8")
