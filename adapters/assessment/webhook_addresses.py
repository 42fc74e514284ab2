"""Which addresses a webhook may go to: a tenant chooses the URL, and must not reach into our network with it."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from llama_mapper.domain.kernel.errors import ConfigurationError

Address = IPv4Address | IPv6Address

_CARRIERS = tuple(
    IPv6Network(network)
    for network in (
        "::/96",  # IPv4-compatible (RFC 4291, 2.5.5.1), and the unspecified and loopback addresses
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "64:ff9b:1::/48",  # NAT64 within a network (RFC 8215)
        "2001::/32",  # Teredo (RFC 4380)
        "2002::/16",  # 6to4 (RFC 3056)
        "fec0::/10",  # site-local (RFC 3879)
    )
)
"""IPv6 networks that lead to an IPv4 address of whatever kind, or inwards."""


def is_public(address: Address) -> bool:
    """Whether the address is one of the public internet: not private, loopback, link-local, multicast, reserved."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _CARRIERS):
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def literal(host: str) -> Address | None:
    """The address that a host is written as, or None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


class WebhookHosts:
    """Hosts that the operator exempts: by name, by address, or as a network (`10.1.0.0/16`).

    An exempt host may be private, and may be called without TLS if the URL itself names it.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        """Raises `CONFIGURATION_INVALID` for an entry with a slash that is no network."""
        names, networks = set[str](), []
        for entry in entries:
            if literal(entry) is None and "/" not in entry:
                names.add(entry.lower())
                continue
            try:
                networks.append(ip_network(entry))
            except ValueError as error:
                raise ConfigurationError(f"webhook_hosts: {entry} is no network: {error}") from error
        self._names = frozenset(names)
        self._networks = tuple(networks)

    def names(self, host: str) -> bool:
        """Whether a URL's host is exempt as it is written."""
        address = literal(host)
        return self._covers(address) if address is not None else host.lower() in self._names

    def permits(self, host: str, address: Address) -> bool:
        """Whether `host`, which has led to `address`, may be connected to there."""
        return is_public(address) or host.lower() in self._names or self._covers(address)

    def _covers(self, address: Address) -> bool:
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)
