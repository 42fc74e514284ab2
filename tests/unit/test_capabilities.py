"""`docs/capabilities.md` has every component of the requirements, and names what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUIRED = {
    "Detector orchestration": {
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
        "monitoring": "prometheus_metrics business_metrics security_metrics correlation_id opentelemetry"
        " jaeger_exporter structured_logger log_scrubber health_checker dependency_monitor alert_manager escalation"
        " incident_response",
        "cli": "detector_commands policy_commands health_commands",
        "tenancy": "tenant_manager tenant_isolation tenant_routing tenant_config",
        "plugins": "plugin_manager detector_plugins policy_plugins extension_points",
        "pipelines": "orchestration_pipeline validation_pipeline audit_pipeline",
        "config": "settings detector_config policy_config tenant_config",
    },
    "Mapper": {
        "api": "mapping batch training validation",
        "core": "mapper response_generator taxonomy_mapper framework_adapter",
        "model_server": "llama_backend vllm_backend tgi_backend cpu_fallback",
        "training": "lora_trainer model_loader checkpoint_manager training_pipeline",
        "generation": "content_generator template_engine context_manager",
        "optimization": "performance_optimizer resource_manager cost_optimizer",
        "serving": "model_registry deployment_manager canary_deployment ab_testing blue_green production_utils",
        "taxonomy": "taxonomy_manager canonical_taxonomy framework_mappings taxonomy_validator migration_manager",
        "schemas": "schema_registry request_schemas response_schemas internal_schemas schema_validator"
        " schema_evolution compatibility_checker",
        "validation": "input_validator output_validator json_validator schema_manager",
        "fallback": "template_mapper rule_engine fallback_coordinator",
        "cost": "cost_monitor budget_alerts cost_optimizer",
        "performance": "performance_tracker latency_monitor throughput_analyzer",
        "quality": "drift_detector quality_metrics anomaly_detection",
        "observability": "distributed_tracing correlation_analysis root_cause_analysis",
        "analytics": "usage_analytics tenant_analytics capacity_planning",
        "cli": "mapping_commands training_commands model_commands",
        "tenancy": "tenant_models tenant_isolation tenant_customization tenant_billing",
        "plugins": "mapping_plugins model_plugins validation_plugins fallback_plugins",
        "pipelines": "training_pipeline deployment_pipeline validation_pipeline optimization_pipeline",
        "config": "settings mapping_config model_config tenant_config",
    },
}
A_TEST = re.compile("^(async )?def test_", re.MULTILINE)
MAY_COME_LATER = {
    "Detector orchestration": {"security", "monitoring", "tenancy"},
    "Mapper": {"performance", "quality", "observability", "analytics", "pipelines"},
}


def rows() -> dict[tuple[str, str, str], tuple[str, str]]:
    """What each component's row says of where it lives and what shows it, by service, group and component."""
    text = (ROOT / "docs" / "capabilities.md").read_text("utf-8")
    service, group, found = "", "", {}
    for line in text.splitlines():
        if line.startswith("## "):
            service = line.removeprefix("## ")
        elif heading := re.fullmatch(r"\| \*\*(\w+)\*\* \| \| \|", line):
            group = heading[1]
        elif row := re.fullmatch(r"\| `(\w+)`[^|]*\| ([^|]*)\|([^|]*)\|", line):
            assert (service, group, row[1]) not in found
            found[service, group, row[1]] = row[2].strip(), row[3].strip()
    return found


ROWS = rows()


def test_every_component_of_the_requirements_has_its_row_and_nothing_else_has() -> None:
    assert list(ROWS) == [
        (service, group, name)
        for service, groups in REQUIRED.items()
        for group, names in groups.items()
        for name in names.split()
    ]


@pytest.mark.parametrize(("service", "group", "component"), ROWS)
def test_a_row_names_modules_and_tests_that_exist_or_says_later(service: str, group: str, component: str) -> None:
    lives, shown = (re.findall(r"`([^`]+)`", cell) for cell in ROWS[service, group, component])
    if not lives:
        assert group in MAY_COME_LATER[service]
        assert ROWS[service, group, component][0].startswith("later")
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
