"""One running machine: QEMU on this side, the agent of `machine/agent.py` on the other."""

from __future__ import annotations

import json
import select
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.lab.build import ROOT, Image, LabError, cache
from tests.lab.disk import DataDisk

BOOT_LIMIT_S = 300.0
LAST_WORDS = 6000
SYSTEMD = "/lib/systemd/systemd"
# The journal on the console, too: of a boot that gets stuck it is all that is left.
JOURNAL = "systemd.journald.forward_to_console=1 systemd.journald.max_level_console=info"
SLACK_S = 60.0  # the guest's clock may be slower than ours
NOT_BOOTED = "lab: the machine did not boot"
"""`.ci/run` looks for exactly this before it tries once more."""


class BootError(LabError):
    """The emulator or the guest's system did not come up."""


@dataclass(frozen=True)
class Result:
    """How a command in the guest ended; `code` None: its time was over."""

    code: int | None
    output: str

    def check(self) -> str:
        """Its output; AssertionError with all of it when it failed."""
        assert self.code == 0, f"exit code {self.code} in the guest:\n{self.output}"
        return self.output


def pack_project(path: Path) -> None:
    """This checkout without what was made in it, for the guest."""

    def wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if Path(entry.name).name == "__pycache__" else entry

    with tarfile.open(path, "w") as tar:
        for entry in sorted(ROOT.iterdir()):
            if not entry.name.startswith(".") and entry.name not in ("build", "dist", "capture-test"):
                tar.add(entry, entry.name, filter=wanted)


class Machine:
    """Boots on entry, is gone on exit. Its root disk forgets everything unless `keep`.

    What its console said is kept in the cache when it ends: `console-lab-init` or `console-systemd`.
    `out` is a folder of this side that the guest has as /out. /project is a copy of this checkout as it was on entry.
    `disk` is a second disk of `disk_mb` MB, if asked for.
    `init` is the guest's first program: /sbin/lab-init, or SYSTEMD in a machine built with that.

    Threads: one owner.
    """

    def __init__(
        self,
        image: Image,
        *,
        disk_mb: int = 0,
        init: str = "/sbin/lab-init",
        memory: str = "2G",
        keep: bool = False,
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lab-"))  # short: a socket's path has 107 bytes
        self.out = self._folder / "out"
        self.out.mkdir()
        self.console = self._folder / "console"
        self.disk = DataDisk.make(self._folder, disk_mb) if disk_mb else None
        self._console_kept = cache() / f"console-{Path(init).name}"
        self._command = self._options(image, init, memory, keep)
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._received = b""
        self._runs = 0

    def _options(self, image: Image, init: str, memory: str, keep: bool) -> list[str]:
        root = f"file={image.folder / 'root.img'},format=raw,if=none,id=root,cache=unsafe"
        root += "" if keep else ",snapshot=on"
        words = f"console=ttyAMA0 quiet panic=-1 mitigations=off lab.init={init}"
        words += f" {JOURNAL}" if init == SYSTEMD else ""
        return [
            "setpriv", "--pdeathsig", "KILL",  # it goes with us, however we go
            "qemu-system-aarch64", "-machine", "virt,gic-version=3", "-cpu", "cortex-a76", "-accel", "tcg,thread=multi",
            "-smp", "2", "-m", memory, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-kernel", str(image.folder / "kernel"), "-initrd", str(image.folder / "initrd.gz"),
            "-append", words,
            "-drive", root, "-device", "virtio-blk-pci,drive=root,serial=root",
            *(self.disk.options() if self.disk else ()),
            "-fsdev", f"local,id=out,path={self.out},security_model=none",
            "-device", "virtio-9p-pci,fsdev=out,mount_tag=out",
            "-device", "virtio-rng-pci", "-serial", f"file:{self.console}",
            "-chardev", f"socket,id=agent,path={self._folder / 'agent'},server=on,wait=off",
            "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=blackbox.lab",
        ]  # fmt: skip

    def __enter__(self) -> Self:
        try:
            pack_project(self.out / "project.tar")
            self._boot()
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._socket is not None and self._alive():
                self._socket.sendall(b'{"end": 1}\n')
                assert self._process is not None
                self._process.wait(60)
        except (OSError, subprocess.TimeoutExpired):
            pass  # a machine that does not switch itself off is switched off
        finally:
            self._kill()

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        cwd: str = "/project",
    ) -> Result:
        """Run one command in the guest, as root. Raises LabError when the machine is gone."""
        assert self._socket is not None
        self._runs += 1
        name = f"run-{self._runs}.log"
        order = {"argv": list(argv), "log": f"/out/{name}", "timeout": timeout, "env": dict(env or {}), "cwd": cwd}
        self._socket.sendall(json.dumps(order).encode() + b"\n")
        answer = self._answer(timeout + SLACK_S)
        if answer is None:
            raise LabError(f"lab: the machine does not answer any more; its console ends with:\n{self._last_words()}")
        log = self.out / name
        output = log.read_text(errors="replace") if log.exists() else ""
        return Result(answer["code"], output + answer.get("words", ""))

    def _boot(self) -> None:
        errors = self._folder / "qemu"
        if shutil.which("qemu-system-aarch64") is None:
            raise LabError("lab: there is no qemu-system-aarch64; ./dev lab installs it")
        with open(errors, "wb") as file:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
            )
        end = time.monotonic() + BOOT_LIMIT_S
        if self._connect(end) and self._answer(end - time.monotonic()) is not None:
            return
        raise BootError(f"{NOT_BOOTED}: {errors.read_text(errors='replace')}\n{self._last_words()}")

    def _connect(self, end: float) -> bool:
        path = self._folder / "agent"
        while self._alive() and time.monotonic() < end:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self._socket.connect(str(path))
                return True
            except OSError:  # not there yet
                self._socket.close()
                self._socket = None
                time.sleep(0.05)
        return False

    def _answer(self, limit_s: float) -> dict[str, Any] | None:
        """The agent's next line; None when the machine died or the time is over."""
        assert self._socket is not None
        end = time.monotonic() + limit_s
        while b"\n" not in self._received:
            left = end - time.monotonic()
            if left <= 0 or not self._alive():
                return None
            if select.select([self._socket], [], [], min(left, 1.0))[0]:
                data = self._socket.recv(65536)
                if not data:
                    return None
                self._received += data
        line, self._received = self._received.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _last_words(self) -> str:
        if not self.console.exists():
            return "(nothing was said)"
        said = self.console.read_text(errors="replace")
        return f"(all of it: {self._console_kept})\n{said[-LAST_WORDS:]}"

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._socket is not None:
            self._socket.close()
        if self.console.exists():
            shutil.copy(self.console, self._console_kept)
        shutil.rmtree(self._folder, ignore_errors=True)
