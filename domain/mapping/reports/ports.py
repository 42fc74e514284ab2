"""What reports need from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from llama_mapper.domain.contracts.reports import TemplateFormat


@dataclass(frozen=True, slots=True)
class Template:
    """A template; `frameworks` are the editions that it is for, none for all."""

    format: TemplateFormat
    title: str
    text: str
    frameworks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of trying a template: the text, or (where, what) of everything that is wrong with it."""

    text: str = ""
    problems: tuple[tuple[str, str], ...] = ()


class TemplateEngine(Protocol):
    """Renders templates that nobody vouches for.

    A template sees the data that it is given and nothing else; it is ended when it takes more time, memory or room
    than it may, and meanwhile holds nobody up. No error quotes a value of the data.
    """

    async def render(self, text: str, form: TemplateFormat, data: Mapping[str, Any]) -> str:
        """The text; raise `TEMPLATE_FAILED`, `TEMPLATE_LIMIT`, or `SERVICE_UNAVAILABLE` if it cannot be tried now."""
        ...

    async def tried(self, text: str, form: TemplateFormat, data: Mapping[str, Any]) -> Trial:
        """Whether the template is well-formed, uses only the names of `data`, and can be rendered with it.

        Raises `SERVICE_UNAVAILABLE` if it cannot be tried now.
        """
        ...


class ShippedTemplates(Protocol):
    """The templates that come with the product."""

    def names(self) -> Sequence[str]:
        """All of them, in the order to list them."""
        ...

    def get(self, name: str) -> Template | None:
        """One of them."""
        ...
