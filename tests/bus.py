"""A system bus of the test's own, and services on it that are made of templates (python-dbusmock)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from blackbox_qt.core.systembus import BusError, SystemBus, on_system_bus

Until = Callable[..., None]
_PYTHON = "/usr/bin/python3"  # dbusmock needs the system's bindings, which no venv has
_MOCK = "org.freedesktop.DBus.Mock"
_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/>
  </policy>
</busconfig>
"""


class PrivateBus:
    """The bus; `start` puts a service on it."""

    def __init__(self, until: Until) -> None:
        self._until = until
        self._services: list[subprocess.Popen[bytes]] = []

    def start(self, template: str, name: str) -> None:
        """The service `name` from a template of dbusmock; skips where there is none."""
        self._start(name, "--template", template)

    def start_plain(self, name: str, path: str, interface: str) -> None:
        """The service `name` with one object that can do nothing yet; skips as `start`."""
        self._start(name, name, path, interface)

    def _start(self, name: str, *how: str) -> None:
        found = subprocess.run([_PYTHON, "-c", "import dbusmock"], capture_output=True, check=False)
        if found.returncode:
            pytest.skip("python-dbusmock is not installed (apt: python3-dbusmock)")
        command = [_PYTHON, "-m", "dbusmock", "--system", *how]
        null = subprocess.DEVNULL
        self._services.append(subprocess.Popen(command, stdin=null, stdout=null, stderr=null))
        self._until(lambda: self.call("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "NameHasOwner", "s", name))

    def call(self, name: str, path: str, interface: str, member: str, signature: str = "", *body: Any) -> Any:
        async def ask(bus: SystemBus) -> Any:
            return await bus.call(name, path, interface, member, signature, body)

        return on_system_bus(ask, 10)

    def mock(self, name: str, path: str, member: str, signature: str = "", *body: Any) -> Any:
        """One of dbusmock's own methods."""
        return self.call(name, path, _MOCK, member, signature, *body)

    def answers(self) -> bool:
        try:
            self.call("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetId")
        except BusError:
            return False
        return True

    def stop(self) -> None:
        for service in self._services:
            service.kill()
            service.wait()


@contextmanager
def private_bus(folder: Path, until: Until, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateBus]:
    """The system bus of this process and its children is another one for a while."""
    if shutil.which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is not installed")
    place = folder / "bus"
    config = folder / "bus.conf"
    config.write_text(_CONFIG.format(socket=place))
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={place}")
    with subprocess.Popen(
        ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile"], env=os.environ
    ) as daemon:
        bus = PrivateBus(until)
        try:
            until(lambda: place.exists() and bus.answers())
            yield bus
        finally:
            bus.stop()
            daemon.kill()
