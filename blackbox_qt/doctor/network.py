"""Where a phone finds the page, and whether the box has a Wi-Fi of its own."""

from __future__ import annotations

import ipaddress
import json
import re

from blackbox_qt.doctor.case import Case
from blackbox_qt.doctor.finding import Finding, look, ok
from blackbox_qt.doctor.machine import Machine

_INSIDE = ("lo", "docker", "veth", "br-", "virbr", "lxc")
_LISTENING = "0A"  # proc_net_tcp(5): TCP_LISTEN


def page(case: Case) -> Finding:
    """The page's addresses, and whether anybody listens there now."""
    web = case.config.web
    if not web.enabled:
        return ok("the page is switched off (web.enabled)", addresses=[], port=web.port, listening=False)
    addresses = _addresses(case.machine, web.host)
    listening = _listens(case.machine, web.port)
    urls = [f"http://[{a}]:{web.port}/" if ":" in a else f"http://{a}:{web.port}/" for a in addresses]
    data = {"addresses": urls, "port": web.port, "listening": listening}
    state = "answers" if listening else "the recorder is not running there now"
    if not urls:
        words = "Switch the box's own Wi-Fi on (the line below), or connect it to a network."
        return look(f"no network: the page can be seen on this machine only ({state})", words, **data)
    return ok(f"{' '.join(urls)} ({state})", **data)


def _addresses(machine: Machine, host: str) -> list[str]:
    """Those that other devices could use, IPv4 first."""
    host = "127.0.0.1" if host == "localhost" else host
    listens = ipaddress.ip_address(host)
    if not listens.is_unspecified:
        return [host]
    done = machine.run(["ip", "-json", "address"], 5)
    rows = json.loads(done.out) if done is not None and done.code == 0 else []
    found = [
        entry["local"]
        for row in rows if not row.get("ifname", "lo").startswith(_INSIDE)
        for entry in row.get("addr_info", ())
        if entry.get("scope") == "global" and entry.get("family") in ("inet", "inet6")[: listens.version // 2]
    ]  # fmt: skip
    return sorted(found, key=lambda address: ":" in address)


def _listens(machine: Machine, port: int) -> bool:
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in (machine.value(name) or "").splitlines()[1:]:
            fields = row.split()
            if len(fields) > 3 and fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                return True
    return False


def hotspot(case: Case) -> Finding:
    """Whether a phone can reach the box where there is no other network."""
    machine = case.machine
    blocked = _blocked(machine)
    data = {"wifi": bool(machine.glob("/sys/class/net/*/wireless")), "blocked": blocked, "on": False, "name": ""}
    if not data["wifi"]:
        return ok("this machine has no Wi-Fi", **data)
    if blocked:
        words = "Name your country, then it is allowed to send: sudo raspi-config nonint do_wifi_country KR (or yours)."
        return look("Wi-Fi is blocked", words, **data)
    name = _own_network(machine)
    if name is None:
        words = "NetworkManager is needed for the box's own Wi-Fi: sudo apt install network-manager"
        return look("NetworkManager does not answer", words, **data)
    if not name:
        return ok("off; `blackbox-qt hotspot on` makes the box's own Wi-Fi for phones", **data)
    return ok(f"on, its name is {name}", **{**data, "on": True, "name": name})


def _blocked(machine: Machine) -> bool:
    for name in machine.glob("/sys/class/rfkill/rfkill*/type"):
        folder = name.rpartition("/")[0]
        if machine.value(name) == "wlan" and (machine.number(f"{folder}/soft") or machine.number(f"{folder}/hard")):
            return True
    return False


def _own_network(machine: Machine) -> str | None:
    """Name of the access point that is on, "" when none is, None without NetworkManager."""
    done = machine.run(["nmcli", "-t", "-f", "TYPE,STATE,CONNECTION", "device"], 5)
    if done is None or done.code:
        return None
    for row in done.out.splitlines():
        kind, state, name = [*(_plain(part) for part in re.split(r"(?<!\\):", row, maxsplit=2)), "", ""][:3]
        if kind == "wifi" and state.startswith("connected") and (own := _access_point(machine, name)):
            return own
    return ""


def _access_point(machine: Machine, connection: str) -> str:
    """The name it sends, "" when this connection is no access point."""
    fields = "802-11-wireless.mode,802-11-wireless.ssid"
    done = machine.run(["nmcli", "-g", fields, "connection", "show", connection], 5)
    lines = done.out.splitlines() if done is not None else []
    return _plain(lines[1] if len(lines) > 1 else connection) if lines[:1] == ["ap"] else ""


def _plain(text: str) -> str:
    r"""nmcli's terse output has \: for a colon."""
    return re.sub(r"\\(.)", r"\1", text)
