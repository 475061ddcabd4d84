"""A box on which the package is installed, in the emulated machine or in a container: asked in the same words."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path

from tests.lab import emulator
from tests.lab.build import Image
from tests.lab.container import Container

UNIT = "blackbox-recorder"


class Box(ABC):
    """A running system with systemd; `out` here is /out there. `slow`: how much longer everything takes than on a PC.

    Threads: one owner.
    """

    slow = 1.0
    first_words = "first fragment safe"  # in the journal, when it records
    out: Path

    @abstractmethod
    def run_shell(self, script: str, timeout: float) -> tuple[int | None, str]:
        """Exit code (None: its time was over) and words of a script that root's bash runs."""

    @abstractmethod
    def wait_for_end(self) -> None:
        """Until the power is off."""

    def sh(self, script: str, timeout: float = 60) -> str:
        """What a script says; AssertionError with all of it when it fails."""
        code, said = self.run_shell(script, timeout * self.slow)
        assert code == 0, f"exit code {code}:\n{script}\n{said}"
        return said.strip()

    def until(self, script: str, wanted: str, timeout: float) -> str:
        """Ask until a line of the answer is, or has in it, `wanted`."""
        end, said = time.monotonic() + timeout * self.slow, ""
        while time.monotonic() < end:
            said = self.sh(f"{script} || true")
            if wanted in said:
                return said
            time.sleep(0.3 * self.slow)
        raise AssertionError(f"{script!r} never said {wanted!r} but:\n{said}\n{self.journal()}")

    def until_active(self, unit: str = UNIT, timeout: float = 30) -> None:
        self.until(f"systemctl show -P ActiveState {unit} | sed s/^/is-/", "is-active", timeout)

    def show(self, what: str, unit: str = UNIT) -> str:
        return self.sh(f"systemctl show -P {what} {unit}")

    def journal(self) -> str:
        """What recorder and screen had to say since the start."""
        return self.sh(f"journalctl --no-pager -o short-monotonic -b -u {UNIT} -u blackbox-kiosk | tail -n 300")

    def moments(self, words: str) -> list[float]:
        """Seconds after the boot at which the recorder's journal says these words."""
        said = self.sh(f"journalctl --no-pager -o short-monotonic -b -u {UNIT}")
        return [float(line.split("]")[0].strip("[ ")) for line in said.splitlines() if words in line]

    def recorded(self, folder: str = "/srv/blackbox") -> int:
        """Bytes of pictures in there: they grow while it records."""
        find = f"find {folder} -name '*.mp4*' ! -name '*.json' -printf '%s\\n'"
        return int(self.sh(f"{find} | awk '{{ n += $1 }} END {{ print n + 0 }}'"))

    def records(self, folder: str = "/srv/blackbox") -> bool:
        """Whether that happens now."""
        before, end = self.recorded(folder), time.monotonic() + 20 * self.slow
        while time.monotonic() < end:
            if self.recorded(folder) > before:
                return True
            time.sleep(0.3 * self.slow)
        return False

    def power_off(self) -> None:
        self.sh("systemd-run --quiet --on-active=1 systemctl poweroff")
        self.wait_for_end()


class EmulatedBox(emulator.Machine, Box):
    """arm64's real kernel and devices, a tenth as fast; a second disk, and no network at all."""

    slow = 10.0
    first_words = "recording is recording"  # the other ones are only said when it was quick

    def __init__(self, image: Image) -> None:
        super().__init__(image, init=emulator.SYSTEMD, keep=True, disk_mb=192)

    def __exit__(self, *_: object) -> None:
        self._kill()  # nobody looks at its disk afterwards

    def run_shell(self, script: str, timeout: float) -> tuple[int | None, str]:
        clean = {"PYTHONPATH": "", "PYTHONPYCACHEPREFIX": "", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        done = self.run(["bash", "-euc", script], timeout=timeout, env=clean, cwd="/")
        return done.code, done.output

    def wait_for_end(self) -> None:
        assert self._process is not None
        self._process.wait(120)


class ContainerBox(Container, Box):
    """This PC's kernel and network, and no devices."""

    def run_shell(self, script: str, timeout: float) -> tuple[int | None, str]:
        return self.run(["bash", "-euc", script], timeout)

    def wait_for_end(self) -> None:
        self.wait()
