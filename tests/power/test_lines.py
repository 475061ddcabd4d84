"""Lines as libgpiod gives them: chips, names and errors, with the library replaced by one moved by hand."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gpiod
import pytest

from blackbox_qt.power import lines
from blackbox_qt.power.lines import LineError, Wish, open_line

NAMES = {"gpiochip0": ["ID_SDA", "GPIO17"], "gpiochip10": ["PWR", "CAM"], "gpiochip11": ["-"]}


class Chip:
    """A chip of `NAMES`."""

    refuses: dict[str, int]  # what opening or requesting fails with
    opened: list[Chip]

    def __init__(self, path: str) -> None:
        self.name = Path(path).name
        if not os.path.exists(path):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        if number := self.refuses.get(self.name):
            raise OSError(number, os.strerror(number))
        self.open = True
        self.settings: dict[int, gpiod.LineSettings] = {}
        self.opened.append(self)

    def line_offset_from_id(self, name: str) -> int:
        if name in NAMES[self.name]:
            return NAMES[self.name].index(name)
        if name.isdecimal() and int(name) < len(NAMES[self.name]):
            return int(name)
        raise OSError(errno.ENOENT, "No such file or directory")

    def request_lines(self, config: dict[int, gpiod.LineSettings], consumer: str) -> Request:
        if number := self.refuses.get("line"):
            raise OSError(number, os.strerror(number))
        self.settings, self.consumer = config, consumer
        return Request()

    def close(self) -> None:
        self.open = False

    def __enter__(self) -> Chip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Request:
    fd = 7
    value = gpiod.line.Value.ACTIVE
    gone = False

    def get_value(self, _: int) -> gpiod.line.Value:
        if self.gone:
            raise OSError(errno.ENODEV, "No such device")
        return self.value

    def read_edge_events(self) -> list[Any]:
        kinds = SimpleNamespace(RISING_EDGE="up", FALLING_EDGE="down")
        return [SimpleNamespace(event_type=kind, Type=kinds) for kind in ("down", "up", "down")]

    def release(self) -> None: ...


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A /dev with the chips."""
    for name in NAMES:
        (tmp_path / name).touch()
    monkeypatch.setattr(Chip, "refuses", {}, raising=False)
    monkeypatch.setattr(Chip, "opened", [], raising=False)
    monkeypatch.setattr(gpiod, "Chip", Chip)
    yield tmp_path
    assert not [chip.name for chip in Chip.opened if chip.open], "chips left open"


def test_a_line_is_found_by_its_name_on_whichever_chip(dev: Path) -> None:
    line = open_line(Wish("PWR"), dev)
    assert Chip.opened[-1].name == "gpiochip10" and list(Chip.opened[-1].settings) == [0]
    assert line.active() and line.fileno() == 7 and line.changes() == [False, True, False]
    line.close()


def test_a_line_without_a_name_is_found_by_chip_and_number(dev: Path) -> None:
    open_line(Wish("gpiochip11:0"), dev)
    assert Chip.opened[-1].name == "gpiochip11"


@pytest.mark.parametrize("bias", ["pull-up", "pull-down", "none", "as-is"])
def test_its_wiring_is_asked_of_the_kernel(dev: Path, bias: str) -> None:
    open_line(Wish("GPIO17", active_low=True, bias=bias), dev)
    (settings,) = Chip.opened[-1].settings.values()
    wanted = {"pull-up": "PULL_UP", "pull-down": "PULL_DOWN", "none": "DISABLED", "as-is": "AS_IS"}[bias]
    assert settings.bias is gpiod.line.Bias[wanted] and settings.active_low
    assert settings.edge_detection is gpiod.line.Edge.BOTH and settings.direction is gpiod.line.Direction.INPUT
    assert 0.01 <= settings.debounce_period.total_seconds() <= 0.1


@pytest.mark.parametrize(
    ("name", "refuses", "words"),
    [
        ("GPIO99", {}, "GPIO99: no GPIO line is called so; `gpioinfo` lists them"),
        ("gpiochip11:9", {}, "gpiochip11:9: no GPIO line is called so; `gpioinfo` lists them"),
        ("gpiochip99:1", {}, "gpiochip99:1: there is no DEV/gpiochip99; `gpioinfo` lists chips and lines"),
        ("GPIO17", {"gpiochip0": errno.EACCES},
         "GPIO17: DEV/gpiochip0 may not be opened by this user; add it to the group gpio"),
        ("GPIO17", {"line": errno.EBUSY}, "GPIO17: another program uses this line; `gpioinfo` says which"),
        ("GPIO17", {"line": errno.EINVAL}, "GPIO17: the GPIO line cannot be used (Invalid argument)"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(
    dev: Path, monkeypatch: pytest.MonkeyPatch, name: str, refuses: dict[str, int], words: str
) -> None:
    monkeypatch.setattr(Chip, "refuses", refuses)
    with pytest.raises(LineError) as caught:
        open_line(Wish(name), dev)
    assert str(caught.value) == words.replace("DEV", str(dev))


def test_a_chip_that_is_closed_to_us_does_not_hide_the_others(dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chip, "refuses", {"gpiochip0": errno.EACCES})
    open_line(Wish("CAM"), dev)
    assert list(Chip.opened[-1].settings) == [1]


def test_a_line_that_goes_away_is_one_sentence(dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = open_line(Wish("GPIO17"), dev)
    monkeypatch.setattr(Request, "gone", True)
    with pytest.raises(LineError, match="GPIO17: the GPIO line cannot be used"):
        line.active()


def test_a_machine_without_gpio(tmp_path: Path) -> None:
    with pytest.raises(LineError, match="this machine has no GPIO lines"):
        open_line(Wish("GPIO17"), tmp_path)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(lines.__dict__["__builtins__"], "__import__", _no_gpiod)
    with pytest.raises(LineError, match="the Python package gpiod cannot be loaded"):
        open_line(Wish("GPIO17"), tmp_path)


def _no_gpiod(name: str, *args: Any, _real: Any = __import__, **kwargs: Any) -> Any:
    if name == "gpiod":
        raise ImportError("No module named 'gpiod'")
    return _real(name, *args, **kwargs)
