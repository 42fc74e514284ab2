"""Who runs a command, whose things it is about, and how records name who did something."""

from __future__ import annotations

from typing import Protocol


class Recorded(Protocol):
    """A step of a record."""

    @property
    def who(self) -> str:
        """Who took it."""
        ...

    @property
    def door(self) -> str:
        """Which way it came."""
        ...

    @property
    def keyless(self) -> bool:
        """Whether the name proves nothing."""
        ...


def user() -> str:
    """This machine's user, who stands in the records unless another is named."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"


def owner(tenant: str, everyone: bool = False) -> str:
    """The tenant, if it can be one, or who owns what holds for all; raise `INVALID_REQUEST`."""
    import re

    from llama_mapper.domain.kernel.errors import ValidationError
    from llama_mapper.domain.kernel.tenancy import EVERYONE, TENANT_PATTERN

    if everyone:
        return EVERYONE
    if not re.fullmatch(TENANT_PATTERN, tenant):
        raise ValidationError("a tenant id is 1 to 63 of a-z, 0-9, '-' and '_', starting with a letter or digit")
    return tenant


def signed(step: Recorded) -> str:
    """Who took a step and by which door: `anna (http)`."""
    return f"{step.who} ({step.door}{', keyless' if step.keyless else ''})"
