"""The driver's buffers: reserved, mapped, exported, and which of them are lent out."""

from __future__ import annotations

import itertools
import logging
import mmap
import os
import threading
from collections.abc import Hashable
from dataclasses import dataclass

from blackbox_qt.sources import v4l2_abi as abi
from blackbox_qt.sources.v4l2_device import Device
from blackbox_qt.sources.v4l2_words import GONE

log = logging.getLogger(__name__)

_generations = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Filled:
    """What the driver gave: a buffer to be given back, and what it says of the picture in it.

    Threads: immutable, any.
    """

    index: int
    sequence: int
    size: int  # bytes that are used
    stamp_ns: int | None  # CLOCK_MONOTONIC; None when the driver's stamps are on no known clock
    damaged: bool


class Ring:
    """All buffers of one configuration of a device.

    `key` of a buffer stays the same as long as its memory is the same; descriptors' numbers come back for other memory.

    Threads: `give` any; all others the source's owner, `take` and `wait` the source's thread.
    """

    def __init__(self, device: Device, count: int, *, export: bool) -> None:
        self.count = 0
        self.exported = False
        self._device = device
        self._generation = next(_generations)
        self._memory: list[mmap.mmap | None] = []
        self._dmabufs: list[int] = []
        self._keys: list[Hashable] = []
        self._home = threading.Condition()
        self._out: set[int] = set()
        self._queued = 0
        self._streaming = self._closed = False
        self._failure: OSError | None = None  # of a give on some other thread; told to the source's own
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            self._reserve(count, export)
        except OSError:
            self.close()
            raise

    def _reserve(self, count: int, export: bool) -> None:
        self.count = self._device.request(count)
        for index in range(self.count):
            self._memory.append(self._device.map(index))
        if export:
            self._export()
        self._keys = [(self._generation, os.fstat(fd).st_ino) for fd in self._dmabufs]
        self._keys = self._keys or [(self._generation, index) for index in range(self.count)]

    def _export(self) -> None:
        """dma-bufs for the display; a driver that cannot costs an upload per shown frame, nothing else."""
        try:
            for index in range(self.count):
                self._dmabufs.append(self._device.export(index))
        except OSError as error:
            log.info("%s exports no dma-buf (%s); its pictures are uploaded", self._device.node, error.strerror)
            self._drop_exports()
        self.exported = bool(self._dmabufs)

    @property
    def out(self) -> int:
        """How many buffers are lent."""
        return len(self._out)

    def memory(self, index: int) -> mmap.mmap:
        memory = self._memory[index]
        assert memory is not None, "a buffer was asked for after it was freed"
        return memory

    def dmabufs(self, index: int) -> tuple[int, ...]:
        return (self._dmabufs[index],) if self._dmabufs else ()

    def key(self, index: int) -> Hashable:
        return self._keys[index]

    def start(self) -> None:
        """Queue every buffer that is home, and let the pictures come. Raises OSError."""
        with self._home:
            self._failure = None
            self._quiet()
            for index in range(self.count):
                if index not in self._out:
                    self._device.queue(index)
                    self._queued += 1
            self._streaming = True  # from now on one that comes home is queued at once
        self._device.stream_on()

    def stop(self) -> None:
        """No more pictures; what is lent stays lent. Twice is harmless."""
        with self._home:
            self._streaming, self._queued = False, 0
        try:  # outside the lock: a driver that hangs in here must not hold up those who give buffers back
            self._device.stream_off()
        except OSError as error:
            if error.errno not in GONE:
                raise

    def interrupt(self) -> None:
        """Let `wait` return now."""
        with self._home:
            if not self._closed:
                os.eventfd_write(self._wake, 1)

    def wait(self) -> int:
        """Sleep until a picture may have come, or `interrupt`. The device's poll(2) events.

        Raises OSError when a buffer that came home could not be queued.
        """
        # With nothing queued poll(2) on a V4L2 device may answer POLLERR at once: then only somebody else can wake us.
        fd = self._device.fd if self._queued else None
        events = self._device.kernel.wait(fd, self._wake)
        with self._home:
            self._quiet()
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return events

    def take(self) -> Filled | None:
        """The next filled buffer, lent from now on until `give`; None when there is none. Raises OSError."""
        buffer = self._device.dequeue()
        if buffer is None:
            return None
        with self._home:
            self._queued -= 1
            self._out.add(buffer.index)
        return _filled(buffer)

    def give(self, index: int) -> None:
        """A buffer comes home; the driver may fill it again. Never raises."""
        with self._home:
            self._out.discard(index)
            if self._closed:
                self._free(index)
            elif self._streaming:
                self._queue(index)
            if not self._out:
                self._home.notify_all()

    def _queue(self, index: int) -> None:
        # Under the lock, although it calls the driver: QBUF does not wait, and the descriptor must not be closed, nor
        # its number given to another file, between the question whether it is open and its use.
        try:
            self._device.queue(index)
            self._queued += 1
        except OSError as error:
            self._failure = error
        if self._queued <= 1 or self._failure is not None:
            os.eventfd_write(self._wake, 1)

    def wait_home(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until nothing is lent."""
        with self._home:
            return self._home.wait_for(lambda: not self._out, timeout)

    def close(self) -> None:
        """Free what is home, now; what is lent goes when it comes home. The device can be closed after that."""
        with self._home:
            if self._closed:
                return
            self._closed, self._streaming = True, False
            for index in range(len(self._memory)):
                if index not in self._out:
                    self._free(index)
            os.close(self._wake)

    def _free(self, index: int) -> None:
        self._memory[index] = None  # unmapped by its last user: a view that outlived its frame keeps it
        if index < len(self._dmabufs):
            os.close(self._dmabufs[index])

    def _drop_exports(self) -> None:
        for fd in self._dmabufs:
            os.close(fd)
        self._dmabufs = []

    def _quiet(self) -> None:
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:  # nobody had called
            return


def _filled(buffer: abi.Buffer) -> Filled:
    clock = buffer.flags & abi.BUF_FLAG_TIMESTAMP_MASK
    stamp = buffer.sec * 1_000_000_000 + buffer.usec * 1000 if clock == abi.BUF_FLAG_TIMESTAMP_MONOTONIC else None
    damaged = bool(buffer.flags & abi.BUF_FLAG_ERROR) or not buffer.bytesused
    return Filled(buffer.index, buffer.sequence, buffer.bytesused, stamp, damaged)
