"""The small real file systems do to a program what is expected of them."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from blackbox_qt.core.worker import Worker
from blackbox_qt.storage.disk import Disk

from .loopdisk import KINDS, MakeDisk, loop_disk

__all__ = ["loop_disk"]


def write_on(fd: int) -> None:
    """Until it refuses."""
    while True:
        os.write(fd, bytes(4096))
        os.fsync(fd)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_file_system_of_its_own_that_fills_up(kind: str, loop_disk: MakeDisk) -> None:
    card = loop_disk(kind, 16)
    assert os.stat(card.point).st_dev != os.stat(card.point.parent).st_dev
    filler = card.fill()
    fd = os.open(card.point / "more", os.O_WRONLY | os.O_CREAT)
    try:
        with pytest.raises(OSError) as caught:
            write_on(fd)
        assert caught.value.errno == errno.ENOSPC
    finally:
        os.close(fd)
    filler.unlink()
    Disk().write_small(card.point / "note", b"fits again")


def test_a_pulled_one_answers_with_errors_and_keeps_what_was_synced(loop_disk: MakeDisk) -> None:
    card = loop_disk("ext4", 16)
    Disk().write_small(card.point / "note", b"safe")
    fd = os.open(card.point / "open", os.O_WRONLY | os.O_CREAT)
    card.pull()
    try:
        with pytest.raises(OSError) as caught:
            write_on(fd)
        assert caught.value.errno in (errno.EIO, errno.EROFS)
    finally:
        os.close(fd)
    assert list(card.point.iterdir()) == []
    card.mount()
    assert (card.point / "note").read_bytes() == b"safe"


def test_a_frozen_one_lets_nobody_write_until_it_is_thawed(loop_disk: MakeDisk) -> None:
    card, done = loop_disk("ext4", 16), threading.Event()

    def write() -> None:
        Disk().write_small(card.point / "note", b"late")
        done.set()

    card.freeze()
    worker = Worker("writing", write)
    worker.start()
    try:
        assert not done.wait(0.3)
    finally:
        card.thaw()
    assert done.wait(5) and worker.join(5)
