"""Taking a card off with whatever right there is: root's, systemd's rule, udisks's; and what is said without any."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blackbox_qt.storage.unmounting import Unmounting, unit_name
from tests.bus import PrivateBus, private_bus
from tests.loopdisk import MakeDisk, loop_disk

__all__ = ["loop_disk"]

SYSTEMD, MANAGER = "org.freedesktop.systemd1", "org.freedesktop.systemd1.Manager"
UDISKS, FILESYSTEM = "org.freedesktop.UDisks2", "org.freedesktop.UDisks2.Filesystem"
POINT = Path("/srv/blackbox")
NUMBER = os.makedev(179, 9)
Until = Callable[..., None]


@pytest.fixture
def bus(tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateBus]:
    with private_bus(tmp_path, until, monkeypatch) as made:
        yield made


class Slot:
    """Is mounted until somebody has unmounted it."""

    def __init__(self, sys: Path) -> None:
        self.mounted, self.ran = True, list[list[str]]()
        self.gone: Callable[[], bool] = lambda: False
        device = sys / "dev" / "block" / "179:9"
        device.mkdir(parents=True)
        (device / "uevent").write_text("MAJOR=179\nMINOR=9\nDEVNAME=mmcblk1p1\nDEVTYPE=partition\n")
        self.sys = sys

    def way(self, *, is_root: bool = False, says: str = "") -> Unmounting:
        def program(command: list[str]) -> str:
            self.ran.append(command)
            if not says:
                self.mounted = command[0] == "mount"
            return says

        def is_mounted(_: Path) -> bool:
            return self.mounted and not self.gone()

        return Unmounting(program, is_mounted, self.sys, 1.0, is_root=is_root)


@pytest.fixture
def slot(tmp_path: Path) -> Slot:
    return Slot(tmp_path / "sys")


def stand_in(bus: PrivateBus, name: str, path: str, interface: str, *methods: tuple[str, str, str]) -> None:
    """A service with these methods: (name, signature of what comes in, Python)."""
    bus.start_plain(name, path, interface)
    for method, signature, code in methods:
        bus.mock(name, path, "AddMethod", "sssss", interface, method, signature, "", code)


def refuse(words: str) -> str:
    return f"raise dbus.exceptions.DBusException({words!r}, name='org.freedesktop.DBus.Error.AccessDenied')"


def test_root_needs_nobody(slot: Slot) -> None:
    assert slot.way(is_root=True).unmount(POINT, NUMBER) == "" and slot.ran == [["umount", "/srv/blackbox"]]
    assert slot.way(is_root=True).unmount(POINT, NUMBER) == "", "nothing is mounted: nothing is to be done"
    assert slot.way(is_root=True).mount(POINT) == "" and slot.mounted


def test_without_any_service_it_is_said_why(slot: Slot, bus: PrivateBus) -> None:
    words = slot.way().unmount(POINT, NUMBER)
    assert "systemd:" in words and "udisks:" in words and slot.mounted and slot.ran == []


def test_systemd_stops_the_mount_unit(slot: Slot, bus: PrivateBus, tmp_path: Path) -> None:
    done = tmp_path / "stopped"
    code = f"open({str(done)!r}, 'w').write(args[0] + ' ' + args[1])"
    stand_in(bus, SYSTEMD, "/org/freedesktop/systemd1", MANAGER, ("StopUnit", "ss", code))
    slot.gone = done.exists
    assert slot.way().unmount(POINT, NUMBER) == ""
    assert done.read_text() == "srv-blackbox.mount replace"


def test_where_systemd_refuses_udisks_is_asked(slot: Slot, bus: PrivateBus, tmp_path: Path) -> None:
    done = tmp_path / "unmounted"
    stand_in(bus, SYSTEMD, "/org/freedesktop/systemd1", MANAGER, ("StopUnit", "ss", refuse("no")))
    stand_in(bus, UDISKS, "/org/freedesktop/UDisks2/block_devices/mmcblk1p1", FILESYSTEM,
             ("Unmount", "a{sv}", f"open({str(done)!r}, 'w').close()"))  # fmt: skip
    slot.gone = done.exists
    assert slot.way().unmount(POINT, NUMBER) == ""


def test_what_does_not_come_off_says_so(slot: Slot) -> None:
    words = slot.way(is_root=True, says="umount: /srv/blackbox: target is busy.").unmount(POINT, NUMBER)
    assert words.startswith("umount: /srv/blackbox: target is busy.")


@pytest.mark.parametrize(
    ("point", "name"),
    [("/srv/blackbox", "srv-blackbox.mount"), ("/", "-.mount"), ("/media/my-card", r"media-my\x2dcard.mount"),
     ("/media/A B", r"media-A\x20B.mount"), ("/mnt/.x.y", r"mnt-\x2ex.y.mount")],
)  # fmt: skip
def test_units_are_named_as_systemd_names_them(point: str, name: str) -> None:
    assert unit_name(Path(point)) == name


def test_a_real_card_comes_off_and_goes_on(loop_disk: MakeDisk) -> None:
    card = loop_disk("ext4", 16)
    way = Unmounting(limit_s=5)
    fd = os.open(card.point / "open", os.O_WRONLY | os.O_CREAT)
    try:
        assert "busy" in way.unmount(card.point, os.stat(card.point).st_dev)
    finally:
        os.close(fd)
    assert way.unmount(card.point, os.stat(card.point).st_dev) == "" and not card.point.is_mount()
