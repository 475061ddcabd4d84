"""`blackbox-qt hotspot on|off|status`: the box's own Wi-Fi, and what a phone needs to join it."""

from __future__ import annotations

import argparse
import sys

import segno.helpers

from blackbox_qt.commands import Exit
from blackbox_qt.commands.settings import ConfigError, installed_configuration
from blackbox_qt.config import Config
from blackbox_qt.hotspot import hotspot
from blackbox_qt.hotspot.hotspot import Hotspot, HotspotError
from blackbox_qt.hotspot.identity import Identity, IdentityError, load_identity
from blackbox_qt.hotspot.profile import ADDRESS
from blackbox_qt.web.address import qr_lines


def run_hotspot(args: argparse.Namespace) -> int:
    """Do it and say how it is. Returns an Exit."""
    do = {"on": hotspot.turn_on, "off": hotspot.turn_off, "status": hotspot.look}[args.action]
    try:
        config = installed_configuration(args)
        identity = load_identity(config.storage.state)
        found = do(config.hotspot, identity)
    except ConfigError as error:
        return _refuse(error, Exit.USAGE)
    except (HotspotError, IdentityError) as error:
        return _refuse(error, Exit.FAILED)
    for line in lines(found, config, identity, picture=sys.stdout.isatty()):
        print(line)
    return Exit.OK


def _refuse(why: object, code: Exit) -> Exit:
    print(f"blackbox-qt: {why}", file=sys.stderr)
    return code


def lines(found: Hotspot, config: Config, identity: Identity, *, picture: bool) -> list[str]:
    """What is printed; `picture`: with the code that a phone's camera joins by.

    Threads: any.
    """
    if not found.on:
        return ["The hotspot is off."]
    name = config.hotspot.name or identity.name
    said = [f"The hotspot is on ({found.interface})."]
    if found.left:
        said.append(f"{found.interface} left the network {found.left} for it.")
    said += ["", f"  network   {name}", f"  password  {identity.password}", f"  page      {_page(config)}"]
    if picture:
        join = segno.helpers.make_wifi_data(ssid=name, password=identity.password, security="WPA")
        said += ["", *qr_lines(join), "", "A phone's camera joins by this code."]
    return said


def _page(config: Config) -> str:
    if not config.web.enabled:
        return "is switched off (web.enabled)"
    if config.web.host in ("127.0.0.1", "::1", "localhost"):
        return "is for this machine only (web.host)"
    return f"http://{ADDRESS}:{config.web.port}"
