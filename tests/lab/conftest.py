"""The lab lane: `./dev lab` boots a machine and runs these; `./dev test` runs only those that need none.

In the guest this file does nothing.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lab.collect import GuestFile
    from tests.lab.emulator import Machine

IN_GUEST = "BLACKBOX_LAB_GUEST" in os.environ
WANTED = "BLACKBOX_LAB" in os.environ

if not IN_GUEST:
    from tests.lab import build, collect, emulator

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> GuestFile | None:
        if module_path.parent.name != "guest":
            return None
        return collect.GuestFile.from_parent(parent, path=module_path)

    def pytest_configure(config: pytest.Config) -> None:
        """Everybody shares one machine: it is booted for the first who asks and ends with the run."""
        stack = ExitStack()
        config.add_cleanup(stack.close)
        running: list[Machine] = []

        def machine() -> Machine:
            if not running:
                running.append(stack.enter_context(emulator.Machine(build.image(), disk_mb=128)))
                stack.callback(bring_out, running[0].out / "seen", build.cache() / "seen")
            return running[0]

        config.stash[collect.MACHINE] = machine

    def bring_out(made: Path, seen: Path) -> None:
        """What the guest left in /out/seen (pictures, logs) is kept for whoever wants to look."""
        if made.is_dir():
            shutil.rmtree(seen, ignore_errors=True)
            shutil.copytree(made, seen)

    def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
        for item in items:
            if "machine" in getattr(item, "fixturenames", ()):
                item.add_marker("lab")
                item.add_marker("keeps")
                item.add_marker(pytest.mark.timeout(1200))
            if item.get_closest_marker("lab") and not WANTED:
                item.add_marker(pytest.mark.skip(reason="the lab lane: ./dev lab"))

    @pytest.fixture(scope="session")
    def machine(request: pytest.FixtureRequest) -> Machine:
        """The running machine that all tests of this run share."""
        return request.config.stash[collect.MACHINE]()
