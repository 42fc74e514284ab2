"""Options that several commands take together, written once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, get_type_hints

Result = TypeVar("Result")


def taking(
    name: str, options: Callable[..., Any], **defaults: object
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Give a command the parameters of `options` in the place of its parameter `name`, which gets what they come to.

    `defaults` replace those of `options`.
    """
    own = _parameters(options)
    added = [each.replace(default=defaults.get(each.name, each.default)) for each in own]

    def decorate(command: Callable[..., Result]) -> Callable[..., Result]:
        @wraps(command)
        def called(**given: Any) -> Result:
            taken = {each.name: given.pop(each.name) for each in added}
            return command(**given, **{name: options(**taken)})

        taken_together: list[inspect.Parameter] = []
        for each in _parameters(command):
            taken_together += added if each.name == name else [each]
        called.__annotations__ = {each.name: each.annotation for each in taken_together}
        called.__signature__ = inspect.Signature(taken_together)  # type: ignore[attr-defined]  # inspect heeds it
        return called

    return decorate


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters with their types in place of the types' names, which mean something in that module alone."""
    hints = get_type_hints(function, include_extras=True)
    return [
        each.replace(annotation=hints[each.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for each in inspect.signature(function).parameters.values()
    ]
