"""The shipped templates, and what escaping promises."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_mapper.adapters.mapping.reports.sandbox import answer, escaped_for_markdown
from llama_mapper.adapters.mapping.reports.shipped_templates import FileTemplates
from llama_mapper.domain.contracts.reports import ReportData, TemplateFormat
from llama_mapper.domain.mapping.catalogue.catalogue import Catalogue
from llama_mapper.domain.mapping.reports.ports import Template
from llama_mapper.domain.mapping.reports.sample import sample_of
from tests.support.hostile_labels import HOSTILE_LABELS

SHIPPED = FileTemplates()
TAGS = "<script>alert(1)</script><img src=x onerror=y>"
MARKUP = ("[x](http://evil.example)", "![x](//evil.example)", "**b**", "`c`", "# h", "| a | b |", "<b>", "&lt;", TAGS)
LABELS = st.sampled_from([*HOSTILE_LABELS, *MARKUP]) | st.text(max_size=40)


def rendered(template: Template, data: Any, op: str = "try") -> str:
    said = answer(
        {"op": op, "text": template.text, "format": template.format.value, "data": data, "output_limit": 10_000_000}
    )
    assert said.keys() == {"text"}, said
    text: str = said["text"]
    return text


def shipped(name: str) -> Template:
    template = SHIPPED.get(name)
    assert template is not None
    return template


def labelled(data: ReportData, label: str) -> dict[str, Any]:
    given: dict[str, Any] = data.model_dump(mode="json")
    for each in given["labels"]:
        each["label"] = label
    return given


@pytest.fixture(scope="module")
def sample(catalogue: Catalogue) -> ReportData:
    return sample_of(catalogue)


@pytest.mark.parametrize("name", SHIPPED.names())
def test_a_shipped_template_renders_all_and_nothing(name: str, sample: ReportData) -> None:
    full = rendered(shipped(name), sample.model_dump(mode="json"))
    assert "A report" in full
    bare = sample.model_copy(
        update={
            "taxonomy": (),
            "labels": (),
            "abstentions": 0,
            "frameworks": (),
            "verdict": None,
            "risk": None,
            "coverage": None,
            "detectors": (),
            "evidence": None,
            "provenance": (),
        }
    )
    empty = rendered(shipped(name), bare.model_dump(mode="json"))
    assert "A report" in empty
    assert len(empty) < len(full)
    assert "None" not in re.sub("None is touched", "", full + empty)


def test_a_template_for_a_framework_names_one_that_there_is(catalogue: Catalogue) -> None:
    for name in SHIPPED.names():
        assert catalogue.resolve_frameworks(shipped(name).frameworks)
    assert SHIPPED.get("nobody") is None


def test_every_format_has_an_evidence_summary() -> None:
    forms = {shipped(name).format for name in SHIPPED.names() if name.startswith("evidence-summary")}
    assert forms == {*TemplateFormat}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(f"{tag} {[name for name, _ in attrs]}")


def tags_of(text: str) -> list[str]:
    parser = _Tags()
    parser.feed(text)
    return parser.tags


@settings(max_examples=40)
@given(label=LABELS)
def test_no_label_adds_a_tag_to_a_page(label: str, sample: ReportData) -> None:
    page, sample = shipped("evidence-summary-html"), sample.model_copy(update={"frameworks": ()})
    plain, hostile = [rendered(page, labelled(sample, each), "render") for each in ("plain", label)]
    assert tags_of(hostile) == tags_of(plain)


@given(label=LABELS)
def test_no_value_is_anything_but_text_in_markdown(label: str) -> None:
    said = escaped_for_markdown(label)
    assert "\n" not in said
    assert re.search(r"(?<!\\)(\\\\)*[`*\[\]<>|~]", said.replace("\\\\", "")) is None
    assert not re.match(r"[-+=#]|[0-9][.)]", said)
    assert re.search(r"(?<!\\)://", said) is None


def test_a_macro_is_escaped_once() -> None:
    text = "{% macro cell(x) %}[{{ x }}]{% endmacro %}{{ cell('a*b') }} {{ cell(y) }}"
    for form, expected in ((TemplateFormat.MARKDOWN, r"[a\*b] [\<i\>]"), (TemplateFormat.HTML, "[a*b] [&lt;i&gt;]")):
        assert rendered(Template(form, "", text), {"y": "<i>"}) == expected


@pytest.mark.parametrize("name", ["safe", "e", "escape", "forceescape", "tojson", "urlize", "xmlattr"])
def test_no_filter_undoes_the_escaping_of_markdown(name: str) -> None:
    said = answer(
        {"op": "try", "text": f"{{{{ y|{name} }}}}", "format": "markdown", "data": {"y": ""}, "output_limit": 9}
    )
    assert name in said["problems"][0][1]


def test_an_id_reads_as_it_is() -> None:
    assert escaped_for_markdown("pii.personal_identifiers.email") == "pii.personal_identifiers.email"
    assert escaped_for_markdown("164.312(a)(1)") == "164.312(a)(1)"
