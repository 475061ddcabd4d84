"""From the libraries and the settings to what the retention reckons with: segments, ages, rates, the policy."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from blackbox_qt.config_retention import RetentionConfig
from blackbox_qt.core.clock import NS, Anchor
from blackbox_qt.storage.library_info import SegmentInfo
from blackbox_qt.storage.shelf import Held, LockKind, Policy

TRUSTED = ("gps", "ntp", "phone")
"""Clocks by whose word footage may be deleted for its age. A battery clock may have stood still for a year."""
_MB = 1_000_000
_RATE_S = 1800.0  # so much of a camera's newest footage tells how fast it fills the disk
_LEAST_S = 60.0  # less tells nothing


def held(library: str, segment: SegmentInfo, now: Anchor | None, machine_boot: str) -> Held:
    """A segment as the retention sees it. now: the clocks in the start `machine_boot`; None: no age is asked.

    Threads: any.
    """
    name = segment.name
    return Held(
        library=library,
        name=name.stem,
        camera=name.camera,
        order=(name.boot, segment.first_t_ns or 0, name.seq),
        bytes=segment.bytes,
        seconds=segment.duration_s,
        lock=lock_of(segment),
        closed=segment.state == "finished",
        demo=library == "demo",
        age_s=age_s(segment, now, machine_boot) if now else None,
    )


def lock_of(segment: SegmentInfo) -> LockKind:
    """One lock made by hand among several makes it "manual".

    Threads: any.
    """
    if not segment.sidecar.locks:
        return ""
    kinds = {lock.kind for lock in segment.sidecar.locks}
    return "manual" if "manual" in kinds else "automatic"


def age_s(segment: SegmentInfo, now: Anchor, machine_boot: str) -> float | None:
    """Since its last picture, s, where that is certain; else None.

    In one start of the machine the boot clock tells, which nobody sets. Across starts both ends need a date from a
    source in `TRUSTED`. Threads: any.
    """
    last = segment.last_t_ns
    if last is None:
        return None
    if machine_boot and segment.machine_boot == machine_boot:
        return (now.boot_ns - last) / NS
    dating = segment.dating
    if dating is None or dating.source not in TRUSTED or now.source not in TRUSTED:
        return None
    return (now.utc_ns - (dating.utc_ns + last - dating.boot_ns)) / NS


def all_held(
    libraries: Mapping[str, Iterable[SegmentInfo]], now: Anchor | None = None, machine_boot: str = ""
) -> list[Held]:
    """Threads: any."""
    return [held(name, one, now, machine_boot) for name, segments in libraries.items() for one in segments]


def rates(segments: Iterable[Held], cameras: Collection[str], expected: float) -> dict[str, float]:
    """Bytes a second of each of these cameras: as it recorded of late, or `expected`.

    Threads: any.
    """
    newest_first = sorted((s for s in segments if s.closed and s.seconds > 0), key=lambda s: s.order, reverse=True)
    found = {}
    for camera in cameras:
        size = seconds = 0.0
        for one in newest_first:
            if one.camera == camera and seconds < _RATE_S:
                size, seconds = size + one.bytes, seconds + one.seconds
        found[camera] = size / seconds if seconds >= _LEAST_S else expected
    return found


def policy(config: RetentionConfig, bytes_a_second: float) -> Policy:
    """The settings as the retention reckons with them. bytes_a_second: of all cameras together.

    Threads: any.
    """
    return Policy(
        low_bytes=config.low_mb * _MB,
        low_percent=config.low_percent,
        high_bytes=config.high_mb * _MB,
        high_percent=config.high_percent,
        max_age_s=config.max_age_h * 3600,
        locked_percent=config.locked_percent,
        warn_percent=config.warn_percent,
        reserve_bytes=round(config.reserve_min * 60 * bytes_a_second),
        manual_yields=config.manual_yields,
    )
