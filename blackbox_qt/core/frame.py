"""A frame is a lease on memory that belongs to a camera; whoever holds a handle closes it, like a file."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blackbox_qt.core.layout import Layout

log = logging.getLogger(__name__)


class FrameClosedError(RuntimeError):
    """Somebody used a handle or a picture after giving it back. Always a bug of the caller."""


Bytes = NDArray[np.uint8]


def _references(buffers: tuple[Bytes, ...], index: int) -> int:
    return sys.getrefcount(buffers[index])


_UNSEEN = _references((np.empty(0, np.uint8),), 0)
"""References to a buffer that no plane, slice of one, view or library looks at."""


class Image:
    """One picture: a layout, and the memory it lies in for as long as the frame is open.

    `dmabufs` are the file descriptors of the same buffers, if the camera has any; `key` is the same each time the
    same memory comes round within one configuration of the camera, so that a texture made from it can be kept.

    Threads: any while a handle on the frame is open.
    """

    __slots__ = ("_buffers", "_on_end", "dmabufs", "key", "layout")

    def __init__(
        self,
        layout: Layout,
        buffers: Sequence[Any],
        *,
        dmabufs: Sequence[int] = (),
        key: Hashable = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self.layout = layout
        # One array per buffer, on which every view is made: it keeps the buffer exported, and counts who looks.
        self._buffers: tuple[Bytes, ...] | None = tuple(np.frombuffer(b, np.uint8) for b in buffers)
        self._on_end = on_end
        self.dmabufs = tuple(dmabufs)
        self.key = key

    @property
    def dmabuf(self) -> int | None:
        """Descriptor of the first buffer, or None."""
        return self.dmabufs[0] if self.dmabufs else None

    def view(self, buffer: int = 0) -> memoryview:
        """The bytes of one buffer, not copied; dies with the frame. Raises FrameClosedError after that."""
        return memoryview(self._memory(buffer))

    def plane(self, index: int) -> Bytes:
        """Plane `index` as uint8 array of shape (rows, bytes per row), strided over the padding, not copied."""
        p = self.layout.planes[index]
        return np.ndarray((p.rows, p.width), np.uint8, self._memory(p.buffer), p.offset, (p.stride, 1))

    def planes(self) -> list[Bytes]:
        """All planes, see `plane`."""
        return [self.plane(i) for i in range(len(self.layout.planes))]

    def _memory(self, buffer: int) -> Bytes:
        if self._buffers is None:
            raise FrameClosedError("this picture's memory has gone back to the camera")
        return self._buffers[buffer]

    def end(self) -> None:
        """Cut the way to the memory. Called once by the lease; views still out keep it alive and are reported."""
        buffers, self._buffers = self._buffers or (), None
        for index in range(len(buffers)):
            if _references(buffers, index) > _UNSEEN:
                log.error("a view of a picture outlived its frame; what it shows cannot be trusted")
        if self._on_end is not None:
            self._on_end()


LazyImage = Callable[[Image], Image]
"""Makes the small picture from the main one; runs in the thread of the first sink that asks."""


class Images(Mapping[str, Image]):
    """The pictures of one frame: "main", and "lores" where the camera gives it or somebody can make it.

    Threads: any; a lazy picture is made once, the others wait for it.
    """

    __slots__ = ("_images", "_lazy", "_lock")

    def __init__(self, images: Mapping[str, Image]) -> None:
        self._images = dict(images)
        self._lazy: dict[str, LazyImage] = {}
        self._lock = threading.Lock()

    def offer(self, name: str, make: LazyImage) -> None:
        """`make(main)` gives picture `name` to whoever asks, unless the camera gave it. Before publishing only."""
        if name not in self._images:
            self._lazy[name] = make

    def given(self, name: str) -> Image | None:
        """The picture if the camera itself gave it; never has one made."""
        return None if name in self._lazy else self._images.get(name)

    def __getitem__(self, name: str) -> Image:
        image = self._images.get(name)
        if image is not None:
            return image
        make = self._lazy[name]
        with self._lock:  # held while scaling on purpose: two sinks must not both make it
            if name not in self._images:
                self._images[name] = make(self._images["main"])
            return self._images[name]

    def __contains__(self, name: object) -> bool:  # Mapping's own would make the picture to find out
        return name in self._images or name in self._lazy

    def __iter__(self) -> Iterator[str]:
        return iter({**self._images, **self._lazy})

    def __len__(self) -> int:
        return len({**self._images, **self._lazy})

    def made(self) -> list[Image]:
        """The pictures that exist by now."""
        return list(self._images.values())


class Lease:
    """The shared part of all handles on one frame: who holds it, and how it goes home.

    Threads: any.
    """

    __slots__ = ("_handles", "_lock", "_release", "images")

    def __init__(self, images: Images, release: Callable[[], None]) -> None:
        self.images = images
        self._release = release
        self._handles: list[str] = []
        self._lock = threading.Lock()

    def enter(self, holder: str) -> None:
        with self._lock:
            self._handles.append(holder)

    def leave(self, holder: str) -> None:
        with self._lock:
            self._handles.remove(holder)
            last = not self._handles
        if last:  # outside the lock: release calls into the camera
            for image in reversed(self.images.made()):  # a small picture may lie in the main one's memory
                image.end()
            self._release()

    @property
    def open(self) -> bool:
        return bool(self._handles)

    def holders(self) -> Counter[str]:
        """Open handles by holder."""
        return Counter(tuple(self._handles))


_forgotten: deque[tuple[Lease, str, str]] = deque()


class Frame:
    """A handle on one moment of one camera.

    `seq` is the driver's own number where there is one: a hole in it is a lost frame. `t_ns` is the sensor's time on
    the boot clock, ns, taken before any decode or conversion. Each handle is closed once, twice is harmless; a
    forgotten one is reported by name and healed by the next `reap()`.

    Threads: a handle belongs to one thread at a time; `share`, `close` and the pictures may be used from any.
    """

    __slots__ = ("_lease", "_open", "camera", "count", "epoch", "holder", "missed", "seq", "t_ns")

    def __init__(self, camera: str, seq: int, t_ns: int, lease: Lease, holder: str) -> None:
        self.camera = camera
        self.seq = seq
        self.t_ns = t_ns
        self.epoch = 0  # which opening of the camera it is from: numbers of different epochs do not compare
        self.count = 0  # frames this camera has delivered since the program's start, with this one
        self.missed = 0  # holes in the driver's numbers before it, of all openings, in frames
        self.holder = holder
        self._lease = lease
        lease.enter(holder)
        self._open = True

    @classmethod
    def lend(
        cls,
        camera: str,
        seq: int,
        t_ns: int,
        images: Mapping[str, Image],
        release: Callable[[], None],
    ) -> Frame:
        """The first handle, made by a source. `release` is called once, by the last close, on that thread."""
        return cls(camera, seq, t_ns, Lease(Images(images), release), "source")

    @property
    def images(self) -> Images:
        if not self._open:
            raise FrameClosedError(f"{self.holder} used frame {self.seq} of {self.camera} after closing it")
        return self._lease.images

    @property
    def lease(self) -> Lease:
        return self._lease

    def share(self, holder: str) -> Frame:
        """Another handle on the same memory, for `holder` to close. Raises FrameClosedError on a closed one."""
        if not self._open:
            raise FrameClosedError(f"{self.holder} shared frame {self.seq} of {self.camera} after closing it")
        other = Frame(self.camera, self.seq, self.t_ns, self._lease, holder)
        other.epoch, other.count, other.missed = self.epoch, self.count, self.missed
        return other

    def close(self) -> None:
        """Give this handle back; the last one gives the memory back to the camera."""
        if self._open:
            self._open = False
            self._lease.leave(self.holder)

    def __enter__(self) -> Frame:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        # The collector runs anywhere, also inside a lock: only append here, reap() does the rest.
        if getattr(self, "_open", False):
            _forgotten.append((self._lease, self.holder, f"frame {self.seq} of {self.camera}"))

    def __repr__(self) -> str:
        return f"<Frame {self.camera} {self.seq} held by {self.holder}{'' if self._open else ', closed'}>"


def reap() -> int:
    """Send forgotten frames home and name who forgot them (ResourceWarning). Returns how many.

    Threads: any; the Hub calls it at each publish.
    """
    count = 0
    while _forgotten:
        try:
            lease, holder, what = _forgotten.popleft()
        except IndexError:  # another thread was quicker
            break
        lease.leave(holder)
        count += 1
        log.error("%s forgot to close %s", holder, what)
        warnings.warn(f"{holder} forgot to close {what}", ResourceWarning, stacklevel=2)
    return count
