"""House rules for every test: no thread, descriptor, frame or unexpected log line is left over."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blackbox_qt.core import frame as frame_module

os.environ["BLACKBOX_MUTE"] = "1"  # nobody's loudspeaker is used, also not by programs that tests start
NOISY_IMPORTS = ("av", "cv2", "simplejpeg", "numpy")


@pytest.fixture(scope="session", autouse=True)
def _libraries_loaded() -> None:
    """Libraries that keep descriptors or threads of their own are loaded before anything is counted."""
    for name in NOISY_IMPORTS:
        __import__(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where the suite runs in two processes: a file's tests stay together, and all that share the screen."""
    for item in items:
        folder = item.path.parent.name
        group = "screen" if folder in ("ui", "e2e") else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


_modules_aside = 0


def _set_libraries_aside() -> None:
    """What libraries have made lives on: walking through all of it after each test took a fifth of the suite's time."""
    global _modules_aside
    if len(sys.modules) != _modules_aside:
        _modules_aside = len(sys.modules)
        gc.collect()
        gc.freeze()


def descriptors() -> dict[int, str]:
    """Open descriptors of this process and what they are."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # the one that lists the folder
            continue
    return found


@pytest.fixture(autouse=True)
def nothing_left_over(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a thread, a descriptor or an unclosed frame behind."""
    if request.node.get_closest_marker("keeps") is not None:
        yield
        return
    _set_libraries_aside()
    threads, files = set(threading.enumerate()), descriptors()
    yield
    deadline = time.monotonic() + 2
    left: list[str] = []
    while time.monotonic() < deadline:
        gc.collect()
        left = [f"thread {t.name}" for t in set(threading.enumerate()) - threads]
        left += [f"descriptor {n} -> {what}" for n, what in descriptors().items() if files.get(n) != what]
        if not left:
            break
        threading.Event().wait(0.01)  # a closing peer's thread may need a moment
    forgotten = [what for _, _, what in frame_module._forgotten]
    frame_module._forgotten.clear()
    assert not left and not forgotten, f"left over: {left + forgotten}"


class _Alarms(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")


@pytest.fixture
def expected_alarms() -> list[str]:
    """Parts of WARNING and ERROR lines that this test provokes on purpose: each must come."""
    return []


@pytest.fixture
def possible_alarms() -> list[str]:
    """Parts of WARNING and ERROR lines that may come or not, as the threads will have it."""
    return []


@pytest.fixture(autouse=True)
def no_unexpected_alarm(expected_alarms: list[str], possible_alarms: list[str]) -> Iterator[None]:
    """A WARNING or worse from our own code that the test did not announce fails it, and so does one that stays away."""
    handler = _Alarms()
    logger = logging.getLogger("blackbox_qt")
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    yield
    logger.removeHandler(handler)
    logger.setLevel(level)
    announced = expected_alarms + possible_alarms
    unexpected = [line for line in handler.lines if not any(part in line for part in announced)]
    missing = [part for part in expected_alarms if not any(part in line for line in handler.lines)]
    assert not unexpected and not missing, f"unexpected log lines: {unexpected}; missing: {missing}"


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait for a condition that other threads bring about; fails after 10 s."""

    def wait(condition: Callable[[], object], seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        pause = threading.Event()
        while not condition():
            assert time.monotonic() < end, "the condition did not come true in time"
            pause.wait(0.002)

    return wait


@pytest.fixture(scope="session")
def road() -> Path:
    """Real road footage, 960x540 at 25 fps; skips where it is not there."""
    folder = Path(os.environ.get("BLACKBOX_DATA") or Path(__file__).parents[2] / "shared" / "data")
    path = folder / "road_540p25.mp4"
    if not path.is_file():
        pytest.skip("no road footage: set BLACKBOX_DATA to the folder that holds road_540p25.mp4")
    return path
