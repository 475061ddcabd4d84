"""Builds the machine, once for the same ingredients, and keeps it in the checkout's `.lab` folder."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INGREDIENTS = Path(__file__).resolve().parent / "machine"
CONSTRAINTS = ROOT / "packaging/constraints.txt"
NOT_BAKED_IN = ("agent.py", "agent.sh", "prepare.sh")  # they come with the project each time
FROM_APT = ("numpy", "PySide6-Essentials")
ALSO_WHEELS = ("pytest", "pytest-timeout", "hypothesis")  # the guest runs tests
WARM = (
    "picamera2, av, cv2, numpy, PIL.Image, simplejpeg, pydantic, fastapi, uvicorn, httptools, segno, pytest, "
    "hypothesis, PySide6.QtWidgets, PySide6.QtOpenGLWidgets, qasync, xml.etree.ElementTree, urllib.request, asyncio, "
    "blackbox_qt.commands.run, blackbox_qt.web.server, blackbox_qt.ui, blackbox_qt.commands.check"
)
OLD_AFTER = 3  # machines kept; the longest unused one goes


class LabError(Exception):
    """The lab cannot do it; the text is one sentence."""


@dataclass(frozen=True)
class Spec:
    """Which machine: `packages` are Debian's, beyond packages.txt; `free_mb` is space left on its root disk.

    Any machine can be booted with either init, see `emulator.Machine`; one for systemd names it in `packages`.
    """

    packages: tuple[str, ...] = ()
    free_mb: int = 700


@dataclass(frozen=True)
class Image:
    """A built machine: kernel, initrd.gz and root.img are in `folder`."""

    folder: Path


def image(spec: Spec | None = None) -> Image:
    """The machine that `spec` describes, built now if it is not there. Raises LabError."""
    spec = spec or Spec()
    folder = cache() / key(spec)
    with _alone():
        if not (folder / "whole").exists():
            _build(spec, folder)
        os.utime(folder)
    return Image(folder)


def cache() -> Path:
    """Where machines are kept: BLACKBOX_LAB_CACHE, or `.lab` in the checkout."""
    return Path(os.environ.get("BLACKBOX_LAB_CACHE") or ROOT / ".lab")


def key(spec: Spec, ingredients: Path = INGREDIENTS) -> str:
    """A hash of everything a machine is made from, but not of what the mirror has today."""
    digest = hashlib.sha256()
    for path in sorted(p for p in ingredients.rglob("*") if p.is_file() and p.name not in NOT_BAKED_IN):
        if "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ingredients)}\0".encode() + path.read_bytes() + b"\0")
    digest.update(CONSTRAINTS.read_bytes())
    digest.update("\n".join([*requirements(), *spec.packages, str(spec.free_mb)]).encode())
    return digest.hexdigest()[:16]


def requirements() -> list[str]:
    """What pip brings into the guest: what pyproject.toml asks for, without what comes from apt there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["window"]
    return [line for line in wanted if _name(line) not in FROM_APT] + list(ALSO_WHEELS)


def _name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found
    return found[0]


@contextmanager
def _alone() -> Iterator[None]:
    cache().mkdir(exist_ok=True)
    with open(cache() / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(spec: Spec, folder: Path) -> None:
    if os.geteuid() != 0:
        raise LabError("lab: building the machine needs root (its files belong to root); run it as root once")
    print("lab: building the machine, once", file=sys.stderr, flush=True)
    work = folder.with_suffix(".work")
    for old in (work, folder):
        shutil.rmtree(old, ignore_errors=True)
    (work / "image").mkdir(parents=True)
    try:
        (work / "requirements").write_text("\n".join(requirements()) + "\n")
        _step("root.sh", work / "root", mirror(), sys.executable, work / "requirements", CONSTRAINTS, *spec.packages)
        _step("image.sh", work / "root", work / "image", spec.free_mb)
        _warm_up(Image(work / "image"))
        (work / "image/whole").touch()
        (work / "image").rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _forget_old()


def _step(script: str, *args: object) -> None:
    command = [INGREDIENTS / script, *map(str, args)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise LabError(f"lab: {script} failed with exit code {done.returncode}:\n{done.stdout[-3000:]}")


def _warm_up(made: Image) -> None:
    """Boot it once and import everything, so that Python's compiled files are on its disk: slow under emulation."""
    from tests.lab.emulator import Machine

    with Machine(made, keep=True) as machine:
        done = machine.run(["python3", "-c", f"import {WARM}"], timeout=300, env={"QT_API": "pyside6"})
    if done.code != 0:
        raise LabError(f"lab: the machine cannot import what it should:\n{done.output[-3000:]}")
    _check_disk(made)


def _check_disk(made: Image) -> None:
    """What the guest wrote must be whole: a compiled file that cannot be read is compiled anew at every start."""
    command = ["e2fsck", "-f", "-p", made.folder / "root.img"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode > 1:  # 1: mended, as e2fsck(8) has it
        raise LabError(f"lab: the machine's root disk is damaged:\n{done.stdout[-3000:]}")


def mirror() -> str:
    """The Debian mirror that this machine's own apt uses."""
    found = _mirrors()
    if not found:  # apt knows what a mirror holds only from its lists
        subprocess.run(["apt-get", "-qq", "update"], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found = _mirrors()
    if not found:
        raise LabError("lab: apt here uses no Debian mirror, and the lab's machine is made from one")
    return found[0]


def _mirrors() -> list[str]:
    ask = [
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI)",
        "Created-By: Packages",
        "Origin: Debian",
        "Label: Debian",
    ]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LabError("lab: there is no apt here; the machine is built on Debian") from None
    return list(dict.fromkeys(line for line in done.stdout.splitlines() if line.strip()))


def _forget_old() -> None:
    """Machines only; bare.py keeps its own in order."""
    whole = (p.parent for p in cache().glob("*/whole") if not p.parent.name.startswith("bare-"))
    made = sorted(whole, key=lambda p: p.stat().st_mtime, reverse=True)
    for old in made[OLD_AFTER:]:
        shutil.rmtree(old)
