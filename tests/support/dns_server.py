"""A tiny name server on loopback, made with dnspython, that tests tell what to answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class NameServer(asyncio.DatagramProtocol):
    """Answers every SRV question with `records`, each `priority weight port target`; with a failure while `down`."""

    def __init__(self) -> None:
        self.records: Sequence[str] = ()
        self.ttl = 1
        self.down = False
        self.asked: list[str] = []
        self.address = ""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of `DatagramProtocol`."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        question = dns.message.from_wire(data)
        name = question.question[0].name
        self.asked.append(name.to_text())
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        if self.down:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif not self.records:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            answer.answer.append(dns.rrset.from_text(name, self.ttl, "IN", "SRV", *self.records))
        self._transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def name_server(*records: str) -> AsyncIterator[NameServer]:
    """A running one."""
    server = NameServer()
    server.records = records
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, ("127.0.0.1", 0))
    server.address = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    try:
        yield server
    finally:
        transport.close()
