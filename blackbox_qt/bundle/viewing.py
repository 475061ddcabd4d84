"""A camera's viewing copy: decoded, the time burned in, encoded again. For people; the originals are the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame

from blackbox_qt.bundle.drawing import Plane, caption, card
from blackbox_qt.bundle.film import Film
from blackbox_qt.bundle.progress import Work
from blackbox_qt.bundle.stills import Stills
from blackbox_qt.bundle.times import Dial, proven
from blackbox_qt.core.clock import NS
from blackbox_qt.core.layout import FORMATS
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library import SegmentInfo

_GAP_NS = NS  # a longer hole gets a card that tells of it
_CARD_US = 2_000_000
_STEP_US = 33_333
_PLANAR = FORMATS["YU12"].av


@dataclass(frozen=True, slots=True)
class Footage:
    """A segment, and the copy of it to decode.

    Threads: immutable, any.
    """

    segment: SegmentInfo
    path: Path
    why_gap: str = ""  # why the one before it ended, in words


@dataclass(slots=True)
class Viewed:
    """What became of a camera's viewing copy.

    Threads: the one that makes it.
    """

    camera: str
    paths: list[Path] = field(default_factory=list)
    frames: int = 0
    stills: list[tuple[str, bytes]] = field(default_factory=list)  # (what it shows, JPEG)
    troubles: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Shot:
    """One decoded picture with its place and time."""

    footage: Footage
    picture: VideoFrame
    at_us: int  # decode time in its segment
    t_ns: int | None  # None: its hash is not right, so nobody knows


def view(
    disk: Disk,
    camera: str,
    footage: list[Footage],
    folder: Path,
    work: Work,
    *,
    zone: str = "",
    moment: tuple[str, int] | None = None,
    most_bytes: int = 0,
) -> Viewed:
    """Make `folder/CAMERA.mp4`, or several files where the size changes or one would become too large.

    moment: (start of the machine, boot time) to take a still of. most_bytes: of one file; 0: no limit.
    Raises OSError and CancelledError; footage that cannot be decoded is a sentence in `troubles`.
    """
    done = Viewed(camera)
    stills = Stills(moment)
    film = Film(folder, camera, most_bytes)
    try:
        _Viewing(disk, done, film, stills, work, zone).run(footage)
    finally:
        film.close()
    done.paths, done.stills = film.paths, stills.taken()
    return done


class _Viewing:
    """The way of one camera's pictures from its segments into the film."""

    def __init__(self, disk: Disk, done: Viewed, film: Film, stills: Stills, work: Work, zone: str) -> None:
        self._disk = disk
        self._done = done
        self._film = film
        self._stills = stills
        self._work = work
        self._zone = zone
        self._seen: set[int] = set()  # times that were shown: an error had some written twice
        self._last: _Shot | None = None

    def run(self, footage: list[Footage]) -> None:
        for one in footage:
            dial = Dial(one.segment, self._zone)
            if self._last and not _same_boot(self._last.footage, one):
                self._seen.clear()
            for shot in self._shots(one):
                self._show(shot, dial)
                self._work.move(1)
        self._stills.end()

    def _shots(self, one: Footage) -> Iterator[_Shot]:
        times = proven(self._disk, one.path)
        try:
            for picture in _decoded(one.path):
                at_us = int((picture.time or 0) * 1_000_000 + 0.5)
                t_ns = times.get(at_us)
                if t_ns is None or t_ns not in self._seen:
                    if t_ns is not None:
                        self._seen.add(t_ns)
                    yield _Shot(one, picture, at_us, t_ns)
        except av.error.FFmpegError as error:
            what = error.strerror or "damaged"
            self._done.troubles.append(f"{one.path.name} cannot be decoded to its end ({what})")

    def _show(self, shot: _Shot, dial: Dial) -> None:
        step_us = self._step(shot, dial)
        picture, (width, height) = _planes(shot.picture), (shot.picture.width, shot.picture.height)
        words = dial.words(shot.t_ns)
        caption(picture, width, height, words, f"VIEWING COPY of {shot.footage.segment.name.stem}")
        frame = VideoFrame.from_ndarray(picture, format=_PLANAR)
        frame.colorspace, frame.color_range = shot.picture.colorspace, shot.picture.color_range
        self._film.add(frame, step_us)
        self._stills.consider(frame, (shot.footage.segment.machine_boot, shot.t_ns), words)
        self._done.frames += 1
        self._last = shot

    def _step(self, shot: _Shot, dial: Dial) -> int:
        """µs since the picture before; a long hole is shown as a card instead."""
        last = self._last
        if last is None:
            return 0
        if last.footage is shot.footage and None in (last.t_ns, shot.t_ns):
            return max(0, min(shot.at_us - last.at_us, _GAP_NS // 1000))
        same_boot = _same_boot(last.footage, shot.footage)
        if same_boot and (last.t_ns is None or shot.t_ns is None):
            return _STEP_US  # one of them is not as recorded: nobody knows how long
        length_ns = shot.t_ns - last.t_ns if same_boot and last.t_ns is not None and shot.t_ns is not None else None
        if length_ns is not None and 0 < length_ns <= _GAP_NS:
            return length_ns // 1000
        self._tell_of_gap(last, shot, dial, length_ns)
        return 0

    def _tell_of_gap(self, last: _Shot, shot: _Shot, dial: Dial, length_ns: int | None) -> None:
        """Two seconds of words in place of pictures that are not there."""
        before = Dial(last.footage.segment, self._zone)
        lines = [_gap_title(length_ns), f"after  {before.words(last.t_ns)}", f"until  {dial.words(shot.t_ns)}"]
        if shot.footage.why_gap and last.footage is not shot.footage:
            lines.append(shot.footage.why_gap)
        frame = VideoFrame.from_ndarray(card(last.picture.width, last.picture.height, lines), format=_PLANAR)
        frame.colorspace, frame.color_range = last.picture.colorspace, last.picture.color_range
        self._film.add_card(frame, _CARD_US)


def _gap_title(length_ns: int | None) -> str:
    if length_ns is None:
        return "NO PICTURES IN BETWEEN"
    if length_ns > 0:
        return f"NO PICTURES FOR {length_ns / 1e9:.1f} s"
    return f"THE CAMERA'S CLOCK WENT BACK BY {-length_ns / 1e9:.1f} s"


def _same_boot(one: Footage, other: Footage) -> bool:
    return one.segment.trip_key == other.segment.trip_key


def _decoded(path: Path) -> Iterator[VideoFrame]:
    """All pictures that can be decoded; FFmpegError when there are none, or in the middle."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"
        yield from container.decode(stream)


def _planes(picture: VideoFrame) -> Plane:
    """Its planes one behind the other, (height * 3 / 2, width): a copy that may be drawn on."""
    planar = picture if len(picture.planes) == 3 else picture.reformat(format=_PLANAR)
    return np.asarray(planar.to_ndarray(), np.uint8)
