"""Which address a phone would use to reach this machine, found without sending a packet."""

from __future__ import annotations

import fcntl
import io
import ipaddress
import socket
import struct

import segno

_SIOCGIFADDR = 0x8915  # netdevice(7)
_INSIDE = ("lo", "docker", "veth", "br-", "virbr", "lxc")
_NOWHERE = ("192.0.2.1", 9)  # RFC 5737: an address that leads nowhere, but by the default route


def base_url(host: str, port: int) -> str:
    """`http://ADDRESS:PORT` for a browser on another device where possible; `host` is what the server listens on.

    Threads: any.
    """
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        host = best_address()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def best_address() -> str:
    """This machine's IPv4 address on the network that leads out, else on its own Wi-Fi, else on any; else 127.0.0.1.

    Threads: any.
    """
    routed = _routed()
    if routed:
        return routed
    found = sorted((not name.startswith(("wl", "ap", "uap")), name, address) for name, address in _interfaces())
    return found[0][2] if found else "127.0.0.1"


def qr_lines(text: str) -> list[str]:
    """`text` as a QR code of half blocks, for a terminal.

    Threads: any.
    """
    out = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out, border=2, compact=True)
    return out.getvalue().splitlines()


def _routed() -> str:
    """The address the default route starts from; connecting a datagram socket only looks that up."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_NOWHERE)
        except OSError:  # no default route: a car's own Wi-Fi
            return ""
        address: str = probe.getsockname()[0]
        return "" if address.startswith("127.") else address


def _interfaces() -> list[tuple[str, str]]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            if name.startswith(_INSIDE):
                continue
            try:
                answer = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
            except OSError:  # no IPv4 address there
                continue
            found.append((name, socket.inet_ntoa(answer[20:24])))
    return found
