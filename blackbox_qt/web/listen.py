"""The listening socket: bound before the recorder starts, so that a taken port is said at once. Light on purpose."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from blackbox_qt.config import WebConfig

_BACKLOG = 128
NOTSENT_LOWAT_BYTES = 16 * 1024
"""What may wait unsent in the kernel for one visitor: little, so that a slow one sees new pictures."""
_TCP_NOTSENT_LOWAT = 25  # tcp(7); Python's socket module has no name for it
_STUCK_MS = 20_000


class ListenError(Exception):
    """The page's address cannot be opened; the text is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Listener:
    """An open socket and where it is.

    Threads: any; whoever serves on it closes it, `listen` does so again, harmlessly.
    """

    socket: socket.socket
    host: str  # as configured: an IP address
    port: int  # the real one, also when 0 was asked for


@contextmanager
def listen(web: WebConfig) -> Iterator[Listener]:
    """Bind and listen at once; browsers that come before the server wait in the backlog. Raises ListenError.

    Threads: any.
    """
    host = "127.0.0.1" if web.host == "localhost" else web.host
    with _bound(host, web.port) as sock:
        yield Listener(sock, host, sock.getsockname()[1])


def _bound(host: str, port: int) -> socket.socket:
    version = ipaddress.ip_address(host).version
    try:
        sock = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:  # a kernel without IPv6
        raise ListenError(_sentence(host, port, error)) from None
    try:
        _prepare(sock, version)
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise ListenError(_sentence(host, port, error)) from None
    return sock


def _prepare(sock: socket.socket, version: int) -> None:
    """What every accepted connection inherits, see tcp(7)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if version == 6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # "::" serves IPv4 too
    # A slow phone's old frames must wait here, where a newer one can take their place, and not in the kernel.
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, NOTSENT_LOWAT_BYTES)
    # A phone that left the Wi-Fi without a word, or that reads nothing, goes after this time.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STUCK_MS)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _STUCK_MS // 1000)


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use by another program; choose another one with --port, or 0 for any free one"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine; --host 0.0.0.0 listens on all it has"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"port {port} may not be opened by this user; choose one above 1023 with --port"
    return f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}; choose another --host or --port"
