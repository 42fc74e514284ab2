"""The templates that come with the product: files of this package, read when they are first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from llama_mapper.domain.contracts.reports import TemplateFormat
from llama_mapper.domain.mapping.reports.ports import Template

_FOLDER = Path(__file__).with_name("templates")
_MARKDOWN, _HTML, _TEXT = TemplateFormat.MARKDOWN, TemplateFormat.HTML, TemplateFormat.TEXT
_SHIPPED: dict[str, tuple[TemplateFormat, str, tuple[str, ...]]] = {
    "evidence-summary": (_MARKDOWN, "Evidence summary", ()),
    "evidence-summary-html": (_HTML, "Evidence summary", ()),
    "evidence-summary-text": (_TEXT, "Evidence summary", ()),
    "framework-controls": (_MARKDOWN, "Controls touched", ()),
    "soc2-criteria": (_MARKDOWN, "SOC 2: trust services criteria touched", ("soc2",)),
    "iso27001-annex-a": (_MARKDOWN, "ISO/IEC 27001: Annex A controls touched", ("iso27001",)),
    "hipaa-safeguards": (_MARKDOWN, "HIPAA: standards touched", ("hipaa",)),
    "gdpr-articles": (_MARKDOWN, "GDPR: articles touched", ("gdpr",)),
    "label-mapping": (_TEXT, "Labels and what they mean", ()),
}


class FileTemplates:
    """Keeps `ShippedTemplates`."""

    def names(self) -> Sequence[str]:
        """All of them, in the order to list them."""
        return tuple(_SHIPPED)

    def get(self, name: str) -> Template | None:
        """One of them."""
        return _template(name) if name in _SHIPPED else None


@cache
def _template(name: str) -> Template:
    form, title, frameworks = _SHIPPED[name]
    return Template(form, title, (_FOLDER / f"{name}.j2").read_text("utf-8"), frameworks)
