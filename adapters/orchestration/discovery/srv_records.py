"""Which host of a DNS SRV answer to call (RFC 2782), and a definition's URL with that host in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from llama_mapper.domain.kernel.errors import ConfigurationError

SHORTEST_S, LONGEST_S = 1.0, 300.0
"""Between these an answer is asked for again, whatever its time to live."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service listens, and how much its record is preferred: a lower priority first."""

    host: str
    port: int
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The addresses of a service in the order in which to try them, and for how many seconds that holds.

    Within a priority the order is drawn anew for each answer, by the records' weights. Empty: the service says that it
    is not available.
    """

    addresses: tuple[Address, ...]
    ttl_s: float


def chosen(answer: Answer, current: Address | None, *, failing: bool) -> Address | None:
    """The address to call, given the one in use and whether that one fails; None if there is no service.

    One that works is kept while it is among the most preferred, so that an unlucky draw breaks no connections. One that
    fails is left for the next in order; if it is the only one it stays.
    """
    if not answer.addresses:
        return None
    if failing:
        others = [each for each in answer.addresses if not _same(each, current)]
        return others[0] if others else answer.addresses[0]
    best = [each for each in answer.addresses if each.priority == answer.addresses[0].priority]
    return next((each for each in best if _same(each, current)), best[0])


def wait_s(ttl_s: float) -> float:
    """Seconds until to ask again."""
    return min(max(ttl_s, SHORTEST_S), LONGEST_S)


def with_address(url: str, address: Address) -> str:
    """The URL with this host and port; scheme and path stay."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, f"{address.host}:{address.port}", parts.path, "", ""))


def _same(one: Address, other: Address | None) -> bool:
    return other is not None and (one.host, one.port) == (other.host, other.port)


def srv_entry(text: str) -> tuple[str, Path]:
    """The name and the file of `_service._proto.domain=FILE`; raise `CONFIGURATION_INVALID` for anything else."""
    name, separator, file = (part.strip() for part in text.partition("="))
    labels = name.rstrip(".").split(".")
    if not separator or not file or len(labels) < 3 or not all(each.startswith("_") for each in labels[:2]):
        raise ConfigurationError("an entry of detector_srv is _service._proto.domain=FILE")
    return name, Path(file).expanduser()
