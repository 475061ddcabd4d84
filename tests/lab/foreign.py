"""Programs of a Debian for another machine type, by QEMU's user emulation: quicker than a whole emulated machine.

The kernel is told who runs them (binfmt_misc, Documentation/admin-guide/binfmt-misc.rst) for as long as it is needed.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.build import LabError

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_NAME = "qemu-aarch64"  # as Debian's own packages call it, and as mmdebstrap looks for it
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
_IN_ROOT = """
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
cat /etc/resolv.conf >"$1/etc/resolv.conf"
exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \\
  DEBIAN_FRONTEND=noninteractive bash -euc "$2"
"""


def run_in(root: Path, script: str, timeout: float) -> str:
    """What a script of the root's own bash says, in namespaces that end with it. Raises LabError."""
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-euc", _IN_ROOT, "sh", root, script]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise LabError(f"lab: in {root.name}, exit code {done.returncode}:\n{script}\n{done.stdout[-3000:]}")
    return done.stdout


_COMPILE = """
mount --bind "$2" "$1/mnt"
for folder in usr/lib/python3/dist-packages usr/lib/blackbox-qt; do
  chroot "$1" python3 -m compileall -q -j 0 -s /mnt -p / "/mnt/$folder" >/dev/null || true # no file is too odd
done
"""


@contextmanager
def compiled_by(native: Path, made: Path) -> Iterator[None]:
    """Python files that are installed into `made` meanwhile are compiled by `native`, the same Debian for this PC.

    What comes of it is the same for every machine type, and would take ten minutes of emulation.
    """
    tool = made / "usr/bin/py3compile"
    aside = tool.with_suffix(".aside")
    tool.rename(aside)  # maintainer scripts go on without it
    try:
        yield
    finally:
        aside.rename(tool)
    subprocess.run(["unshare", "--mount", "sh", "-euc", _COMPILE, "sh", native, made], check=True)


@contextmanager
def arm64() -> Iterator[None]:
    """Programs for arm64 run here meanwhile. Raises LabError."""
    if platform.machine() == "aarch64":
        yield
        return
    mounted = not (_BINFMT / "register").exists()
    if mounted:
        _tell("mount", "-t", "binfmt_misc", "binfmt_misc", _BINFMT)
    try:
        if (_BINFMT / _NAME).exists():  # somebody else's, to stay
            yield
            return
        with _registered():
            yield
    finally:
        if mounted:
            _tell("umount", _BINFMT)


@contextmanager
def _registered() -> Iterator[None]:
    emulator = shutil.which("qemu-aarch64-static")
    if emulator is None:
        raise LabError("lab: there is no qemu-aarch64-static; ./dev lab installs it")
    # F: opened now, so that it need not be found in the other Debian's root.
    (_BINFMT / "register").write_text(f":{_NAME}:M::{_MAGIC}:{_MASK}:{emulator}:F")
    try:
        yield
    finally:
        (_BINFMT / _NAME).write_text("-1")


def _tell(*command: object) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"lab: this kernel runs no programs of another machine type: {done.stderr.strip()}")
