"""One browser's connection: uvicorn's, with the limits it lacks, and a way to write a stream without copies."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SCOPE_KEY = "blackbox.connection"
"""Where a response finds its connection in the ASGI scope."""

MOST_CONNECTIONS = 256
MOST_PER_ADDRESS = 32  # one phone needs six; this machine itself is not counted
REQUEST_S = 10.0  # from the first byte (or from connecting) to the last byte of a request
FLUSH_S = 30.0  # for an answer that is ready to leave
MOST_HEAD = 16 * 1024  # bytes
MOST_PIPELINED = 8


class Connection(HttpToolsProtocol):
    """Times out a visitor who dawdles, turns away one who takes too many connections.

    Threads: the web loop's.
    """

    transport: asyncio.Transport
    drained: Callable[[], None] | None = None  # called when everything written has gone to the kernel

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._deadline: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = True
        # Zero: what does not fit into the kernel counts as "not drained", so that a stream waits for it.
        transport.set_write_buffer_limits(high=0)
        if self._crowded():
            transport.abort()
            return
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.drained is not None:
            self.drained()

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MOST_HEAD:
            self.transport.abort()

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MOST_PIPELINED:
            raise ValueError("too many requests at once")  # the parser stops, the visitor gets a 400
        super().on_message_begin()
        cast(dict[str, object], self.scope)[SCOPE_KEY] = self
        self._in_head = True
        self._start_deadline()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stop_deadline()
        self._head_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self.loop.call_later(FLUSH_S, self._abort_unless_flushed)

    def _abort_unless_flushed(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def _start_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_S, self.transport.abort)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _crowded(self) -> bool:
        if len(self.connections) > MOST_CONNECTIONS:
            return True
        own = _network(self)
        same = sum(1 for other in self.connections if _network(other) == own)
        return own is not None and same > MOST_PER_ADDRESS


def _network(connection: object) -> str | None:
    """Who it is, for counting: an IPv4 address, an IPv6 /64, None for this machine."""
    client = getattr(connection, "client", None)
    if client is None:
        return None
    address = ipaddress.ip_address(client[0].partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        address = mapped if mapped is not None else ipaddress.ip_address(int(address) >> 64 << 64)
        if connection_is_loopback(client[0]):
            return None
    return None if address.is_loopback else str(address)


def connection_is_loopback(host: str) -> bool:
    """Threads: any."""
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback
