"""What a template may do, and what it is told where it may not. Runs inside the process that `template_child.py` is.

The sandbox keeps a template from reaching beyond its data; it does not bound what it takes: that is the process' part.
Nothing that is said about a fault quotes a value: names are told only where the template itself has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jinja2 import (
    Environment,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateSyntaxError,
    UndefinedError,
    meta,
    nodes,
)
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from markupsafe import Markup

MAX_RANGE = 10_000
_HTML, _MARKDOWN = "html", "markdown"
_UNESCAPING = ("safe",)
_HTML_ALONE = ("e", "escape", "forceescape", "tojson", "urlize", "xmlattr")
"""Filters whose outcome counts as escaped for HTML; for Markdown it is not."""
_FORBIDDEN: tuple[tuple[type[nodes.Node], str], ...] = (
    (nodes.Include, "a template cannot include another"),
    (nodes.Import, "a template cannot import another"),
    (nodes.FromImport, "a template cannot import another"),
    (nodes.Extends, "a template cannot extend another"),
    (nodes.ScopedEvalContextModifier, "what is escaped follows from the format alone"),
)
_MARKDOWN_MARKS = re.compile(
    r"[\\`*\[\]<>#!|~&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|(?<=www)\.|^[-+=]|(?<=^[0-9])[.)]", re.IGNORECASE
)
"""What begins a mark, a link (also a bare one), or at the beginning a list or a heading."""
_NEW_LINES = re.compile(r"[\r\n]+")
_QUOTED = re.compile(r"'([A-Za-z_][A-Za-z0-9_]{0,63})'")
_NAME = "<template>"

Message = dict[str, Any]
Problem = tuple[str, str]


class OutputTooLong(Exception):
    """The template writes more than it may."""


def answer(message: Message) -> Message:
    """What comes of rendering (`op` is `render`) or trying (`try`) a template.

    One of `text`, `failed` (what to say), `limit` (`output`, `memory` or `range`) and `problems`.
    """
    text, form, data, limit = (message[name] for name in ("text", "format", "data", "output_limit"))
    environment = sandbox(form)
    try:
        if message["op"] == "try" and (problems := list(problems_of(environment, text, data))):
            return {"problems": problems}
        template = environment.from_string(text)
    except TemplateSyntaxError as error:
        return {"problems": [_syntax(error)], "failed": "it is not a template"}
    except RecursionError:
        return {"problems": [("text", "is nested too deeply")], "failed": "it is nested too deeply"}
    except (MemoryError, OverflowError):
        return {"limit": "memory"}
    try:
        return {"text": _rendered(template, data, limit)}
    except OutputTooLong:
        return {"limit": "output"}
    except MemoryError:
        return {"limit": "memory"}
    except Exception as error:  # whatever a template can bring about is its own fault
        return {"failed": f"{_place(error)}: {_what(error, text)}"}


def sandbox(form: str) -> Environment:
    """The environment of a format. Nothing that comes from outside the template is written as it is, but into text."""
    environment = ImmutableSandboxedEnvironment(
        autoescape=form in (_HTML, _MARKDOWN),
        finalize=_FINALIZE.get(form, _plain),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=0,
    )
    environment.globals.clear()
    environment.globals |= {"range": _range, "namespace": Namespace}
    for name in (*_UNESCAPING, *(_HTML_ALONE if form == _MARKDOWN else ())):
        environment.filters.pop(name, None)
    environment.filters["percent"] = _percent
    return environment


def problems_of(environment: Environment, text: str, data: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with a template as it is written; raises TemplateSyntaxError where it cannot be read."""
    tree = environment.parse(text)
    for kind, what in _FORBIDDEN:
        for node in tree.find_all(kind):
            yield f"line {node.lineno}", what
    unknown = meta.find_undeclared_variables(tree) - data.keys() - environment.globals.keys()
    lines: dict[str, int] = {}
    for name in tree.find_all(nodes.Name):
        lines.setdefault(name.name, name.lineno)
    known = ", ".join(sorted(data))
    for each in sorted(unknown, key=lambda one: lines.get(one, 0)):
        yield f"line {lines.get(each, 1)}", f"'{each}' is not among what a template is given: {known}"


def escaped_for_markdown(text: str) -> str:
    """The text with whatever Markdown or HTML could make of it taken for itself, on one line."""
    return _MARKDOWN_MARKS.sub(lambda mark: "\\" + mark[0], _NEW_LINES.sub(" ", text))


def _rendered(template: Template, data: Mapping[str, Any], limit: int) -> str:
    pieces: list[str] = []
    written = 0
    for piece in template.generate(**data):
        written += len(piece)
        if written > limit:
            raise OutputTooLong
        pieces.append(piece)
    # A template can write half of a surrogate pair, which no encoding has.
    return "".join(pieces).encode("utf-8", "replace").decode("utf-8")


def _for_markdown(value: Any) -> Any:
    if isinstance(value, Markup):  # a macro's outcome, escaped piece by piece
        return value
    return Markup(escaped_for_markdown(str(_plain(value))))  # noqa: S704 - escaped just here, for Markdown


def _plain(value: Any) -> Any:
    return "" if value is None else value


_FINALIZE: Mapping[str, Callable[[Any], Any]] = {_MARKDOWN: _for_markdown}


def _range(*arguments: int) -> range:
    numbers = range(*arguments)
    if len(numbers) > MAX_RANGE:
        raise SecurityError(f"range has at most {MAX_RANGE} numbers")
    return numbers


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _syntax(error: TemplateSyntaxError) -> Problem:
    return f"line {error.lineno}", (error.message or "cannot be read")[:300]


def _place(error: BaseException) -> str:
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _NAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"line {line}" if line else "the template"


def _what(error: Exception, text: str) -> str:
    if isinstance(error, SecurityError):
        return "the sandbox forbids this"
    if isinstance(error, UndefinedError):
        named = [each for each in _QUOTED.findall(str(error)) if re.search(rf"\b{each}\b", text)]
        return f"'{named[-1]}' is not there" if named else "something is used that is not there"
    if isinstance(error, RecursionError):
        return "it calls itself too deeply"
    if isinstance(error, TemplateError):
        return "it cannot be carried out"
    return f"{type(error).__name__}"
