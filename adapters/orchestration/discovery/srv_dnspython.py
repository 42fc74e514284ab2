"""DNS SRV look-ups with dnspython."""

from __future__ import annotations

from typing import Any

from llama_mapper.adapters.orchestration.discovery.srv_records import Address, Answer
from llama_mapper.domain.kernel.errors import ConfigurationError, LinkError

_LIFETIME_S = 5.0
_DNS_PORT = 53


class DnspythonSrv:
    """Asks the system's name servers, or the one given as `ADDRESS` or `ADDRESS:PORT`.

    Raises `CONFIGURATION_INVALID` if the package is not installed or the server is not an address.
    """

    def __init__(self, server: str | None = None) -> None:
        try:
            from dns.asyncresolver import Resolver
        except ModuleNotFoundError:
            raise ConfigurationError(
                "detector_srv needs the package dnspython: install 'llama-mapper[discovery]'"
            ) from None
        self._resolver = Resolver(configure=server is None)
        if server is not None:
            host, _, port = server.rpartition(":") if server.count(":") == 1 else (server, "", "")
            try:
                self._resolver.nameservers = [host.strip("[]")]
            except ValueError as error:
                raise ConfigurationError("detector_srv_server is the IP address of a name server") from error
            self._resolver.port = int(port) if port.isdigit() else _DNS_PORT

    async def look_up(self, name: str) -> Answer:
        """The answer for a name; raise `SERVICE_UNAVAILABLE` if there is none, and there may be another time."""
        from dns.exception import DNSException

        try:
            found = await self._resolver.resolve(name, "SRV", lifetime=_LIFETIME_S, search=False)
        except DNSException as error:
            raise LinkError(f"DNS has no answer ({type(error).__name__})") from error
        rrset = found.rrset
        if rrset is None:
            raise LinkError("DNS has no answer (empty)")
        records: list[Any] = rrset.processing_order()
        return Answer(
            tuple(
                Address(record.target.to_text(omit_final_dot=True), record.port, record.priority)
                for record in records
                if record.target.to_text() != "."
            ),
            float(rrset.ttl),
        )
