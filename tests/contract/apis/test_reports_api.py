"""`ReportApi`, in process and over HTTP, where the records are on the other side of the link."""

from __future__ import annotations

from uuid import uuid4

import pytest

from llama_mapper.domain.contracts.assessment import Assessment, AssessmentRequest
from llama_mapper.domain.contracts.mapping import LabelMappingRequest, LabelQuery
from llama_mapper.domain.contracts.reports import ReportApi, ReportRequest, TemplateFormat
from llama_mapper.domain.kernel.errors import ErrorCode, ServiceError
from llama_mapper.entrypoints.containers.running import Running
from tests.support.apis import Apis

EMAIL = "pii.personal_identifiers.email"


@pytest.fixture
async def record(running: Running) -> Assessment:
    request = AssessmentRequest(content="Write to anna@example.com", tenant_id=f"t{uuid4().hex}", frameworks=("soc2",))
    return (await running.chain.assess(request)).assessment


async def refused(reports: ReportApi, **fields: object) -> ErrorCode:
    with pytest.raises(ServiceError) as raised:
        await reports.render(ReportRequest.model_validate({"template": "evidence-summary"} | fields))
    return raised.value.error_code


async def test_a_stored_record_becomes_a_report(reports: ReportApi, record: Assessment) -> None:
    request = ReportRequest(template="soc2-criteria", assessment_id=record.id, tenant_id=record.tenant_id, title="Ours")
    report = await reports.render(request)
    assert (report.format, report.title, report.own) == (TemplateFormat.MARKDOWN, "Ours", False)
    assert "CC6.1" in report.text
    assert EMAIL in report.text


async def test_a_record_is_its_tenants_alone(reports: ReportApi, record: Assessment) -> None:
    assert await refused(reports, assessment_id=record.id, tenant_id="stranger") is ErrorCode.NOT_FOUND
    assert (
        await refused(reports, assessment=record.model_dump(mode="json"), tenant_id="stranger")
        is ErrorCode.TENANT_MISMATCH
    )
    assert await refused(reports, assessment_id=record.id) is ErrorCode.INVALID_REQUEST


async def test_errors_come_through_as_they_are(reports: ReportApi, record: Assessment) -> None:
    at = {"assessment_id": record.id, "tenant_id": record.tenant_id}
    assert await refused(reports, template="nobody", **at) is ErrorCode.NOT_FOUND
    assert await refused(reports, frameworks=("nobody",), **at) is ErrorCode.FRAMEWORK_NOT_FOUND
    assert await refused(reports, frameworks=("soc2:1900",), **at) is ErrorCode.EDITION_NOT_FOUND


async def test_labels_of_an_answer_become_a_report(apis: Apis) -> None:
    asked = LabelMappingRequest(
        labels=(LabelQuery(vendor="presidio", label="EMAIL_ADDRESS"),), frameworks=("gdpr",), tenant_id="acme"
    )
    answer = await apis.mapping.map_labels(asked)
    report = await apis.reports.render(
        ReportRequest(template="label-mapping", labels=answer.model_dump(mode="json"), tenant_id="acme")
    )
    assert EMAIL in report.text


async def test_a_label_leads_to_the_controls_of_each_edition(reports: ReportApi) -> None:
    views = await reports.controls("acme", EMAIL, ("iso27001:2013", "iso27001"))
    assert [view.ref for view in views.items] == ["iso27001:2013", "iso27001:2022"]
    assert all(view.controls for view in views.items)
    every = await reports.controls("acme", EMAIL, ())
    assert len(every.items) > len(views.items)
    with pytest.raises(ServiceError) as raised:
        await reports.controls("acme", "pii.nothing", ())
    assert raised.value.error_code is ErrorCode.CATEGORY_NOT_FOUND
