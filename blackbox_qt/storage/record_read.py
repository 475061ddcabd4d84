"""What our record boxes say: the JSON bodies, read without trust."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from blackbox_qt.core.clock import Anchor
from blackbox_qt.storage.record import FORMAT, Body, Link
from blackbox_qt.storage.segment import SegmentName

_MAX = 2**63 - 1
_MAX_FRAMES = 20_000  # in one fragment


@dataclass(frozen=True, slots=True)
class Head:
    """Threads: immutable, any."""

    name: SegmentName
    origin: str
    device: str
    software: str
    width: int
    height: int
    previous: Link
    anchor: Anchor
    machine_boot: str = ""  # "" in a file made before there was one, and on a machine without a boot id


@dataclass(frozen=True, slots=True)
class FragmentRecord:
    """Threads: immutable, any."""

    number: int
    seqs: tuple[int, ...]
    times_ns: tuple[int, ...]
    lost: Counter[str]
    anchor: Anchor


@dataclass(frozen=True, slots=True)
class EndRecord:
    """Threads: immutable, any."""

    reason: str
    frames: int
    first_t_ns: int
    last_t_ns: int
    lost: Counter[str]
    anchor: Anchor


def decode(data: bytes) -> Body:
    """A record's body, or ValueError with words."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("a record is not JSON") from None
    if not isinstance(body, dict):
        raise ValueError("a record is not a JSON object")
    return body


def head(body: Body) -> Head:
    """ValueError with words when it is not a head record this version can read."""
    if body.get("type") != "head":
        raise ValueError("the first record is not a head")
    if body.get("format") != FORMAT:
        raise ValueError(f"format {str(body.get('format'))[:20]!r} is not {FORMAT}: made by another version")
    name = SegmentName(_text(body, "camera"), _count(body, "boot"), _count(body, "seq"))
    stream, previous = _object(body, "stream"), _object(body, "previous")
    link = Link(_text(previous, "name"), bytes.fromhex(_text(previous, "hash")))
    origin, device, software = (_text(body, key) for key in ("origin", "device", "software"))
    size = _count(stream, "width"), _count(stream, "height")
    machine_boot = _text(body, "machine_boot") if "machine_boot" in body else ""
    return Head(name, origin, device, software, *size, link, _anchor(body), machine_boot)


def fragment(body: Body) -> FragmentRecord:
    """ValueError with words when it is not a fragment record, or contradicts itself."""
    frames = _count(body, "frames")
    if not 0 < frames <= _MAX_FRAMES:
        raise ValueError("a record counts impossibly many frames")
    times = [_count(body, "t_ns")]
    for delta in _list(body, "dt_ns"):
        times.append(times[-1] + _number(delta))
    seqs: list[int] = []
    for run in _list(body, "seq"):
        first, count = run if isinstance(run, list) and len(run) == 2 else (None, None)
        if not 0 < _number(count) <= frames:
            raise ValueError("a record's frame numbers are impossible")
        seqs.extend(range(_number(first), _number(first) + _number(count)))
    if len(times) != frames or len(seqs) != frames or min(times) < 0 or max(times) > _MAX:
        raise ValueError("a record contradicts itself")
    return FragmentRecord(_count(body, "number"), tuple(seqs), tuple(times), _lost(body), _anchor(body))


def end_reason(body: Body) -> str:
    return _text(body, "reason")


def end(body: Body) -> EndRecord:
    """ValueError with words when it is not an end record."""
    first, last = (_number(t) for t in [*_list(body, "t_ns"), None, None][:2])
    return EndRecord(_text(body, "reason"), _count(body, "frames"), first, last, _lost(body), _anchor(body))


def _lost(body: Body) -> Counter[str]:
    lost = _object(body, "lost")
    return Counter({cause[:32]: _count(lost, cause) for cause in list(lost)[:32]})


def _anchor(body: Body) -> Anchor:
    found = _object(body, "anchor")
    uncertainty = None if found.get("uncertainty_ns") is None else _count(found, "uncertainty_ns")
    return Anchor(_count(found, "boot_ns"), _count(found, "utc_ns"), _text(found, "source"), uncertainty)


def _number(value: Any) -> int:
    if type(value) is not int or abs(value) > _MAX:
        raise ValueError("a record has a number that is not one")
    return value


def _count(body: Body, key: str) -> int:
    value = _number(body.get(key))
    if value < 0:
        raise ValueError(f"a record's {key!r} is below 0")
    return value


def _text(body: Body, key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or len(value) > 1000:
        raise ValueError(f"a record's {key!r} is not text")
    return value


def _list(body: Body, key: str) -> list[Any]:
    value = body.get(key)
    if not isinstance(value, list) or len(value) > _MAX_FRAMES:
        raise ValueError(f"a record's {key!r} is not a list")
    return value


def _object(body: Body, key: str) -> Body:
    value = body.get(key)
    if not isinstance(value, dict):
        raise ValueError(f"a record's {key!r} is not an object")
    return value
