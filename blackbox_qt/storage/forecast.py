"""How long the card keeps what is recorded, and when marks reach their share: the deleter's own rules, played on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from blackbox_qt.storage import shelf
from blackbox_qt.storage.retention import may_lock, plan
from blackbox_qt.storage.shelf import Held, LockKind, Policy, Space

_PIECES = 200  # a full card is reckoned with in about so many of each camera
_MOST_STEPS = 40_000
_LATER = 1 << 40  # a start of the library after all that are there


@dataclass(frozen=True, slots=True)
class Scene:
    """What is recorded on what.

    Threads: immutable, any.
    """

    space: Space  # as it is before anything is recorded
    rates: Mapping[str, float]  # by camera, bytes a second
    policy: Policy
    segment_s: float = 60.0
    marks_per_day: float = 0.0
    mark_s: float = 90.0
    hours_per_day: float = 2.0  # under way
    here: Sequence[Held] = ()  # what is on it already


@dataclass(frozen=True, slots=True)
class Forecast:
    """What will be.

    Threads: immutable, any.
    """

    keeps_s: float | None  # the last so much is always there once the card has filled; None: it has no room to record
    limit_bytes: int  # that marks may keep
    share_day: int | None = None  # the first day on which a mark is refused; None: not while this was reckoned


@dataclass
class _Card:
    """The card under way."""

    scene: Scene
    segments: list[Held]
    now_s: float = 0.0
    number: int = 0
    clearing: bool = False
    free: int = 0
    least_s: float = float("inf")  # of what is kept, since it was first full
    turned_s: float | None = None  # when something first had to go
    stuck: bool = False

    @property
    def space(self) -> Space:
        return Space(self.free, self.scene.space.total)

    def record(self, seconds: float, lock: LockKind) -> None:
        for camera, rate in self.scene.rates.items():
            self.number += 1
            order = (_LATER, round(self.now_s * 1e9), self.number)
            size = round(rate * seconds)
            name = f"{camera}-{_LATER}-{self.number}"
            self.segments.append(Held("recordings", name, camera, order, size, seconds, lock))
            self.free -= size
        self.now_s += seconds
        self._keep_room()
        self.stuck = self.stuck or self.free < 0

    def _keep_room(self) -> None:
        while True:
            decision = plan(self.segments, self.space, self.scene.policy, self.clearing)
            self.clearing = decision.clearing
            gone = decision.delete
            if gone is None:
                return
            self.segments.remove(gone)
            self.free += gone.bytes
            self.turned_s = self.now_s if self.turned_s is None else self.turned_s
            if not gone.lock and gone.camera in self.scene.rates:
                self.least_s = min(self.least_s, self._kept_s())

    def _kept_s(self) -> float:
        """The last so much of every camera."""
        kept = dict.fromkeys(self.scene.rates, 0.0)
        for one in self.segments:
            if one.camera in kept and not one.lock:
                kept[one.camera] += one.seconds
        return min(kept.values())

    def allows(self, seconds: float) -> bool:
        size = round(sum(self.scene.rates.values()) * seconds)
        return may_lock(self.segments, self.space, self.scene.policy, size, "manual").allowed


def forecast(scene: Scene) -> Forecast:
    """Play it forward until the card has filled and turned, and marks have reached their share.

    Threads: any; takes a second or two.
    """
    card, refused_s = _play(scene)
    keeps = None if card.stuck or card.turned_s is None else card.least_s
    limit = shelf.locks(card.segments, card.space, scene.policy).limit
    return Forecast(keeps, limit, None if refused_s is None else 1 + int(refused_s / (scene.hours_per_day * 3600)))


def _play(scene: Scene) -> tuple[_Card, float | None]:
    """The card at the end, and when a mark was first refused."""
    card = _Card(scene, _coarse(scene.here, scene), free=scene.space.free)
    step_s = _step_s(scene)
    each_s = scene.hours_per_day * 3600 / scene.marks_per_day if scene.marks_per_day else float("inf")
    next_s, refused_s = each_s, None
    for _ in range(_MOST_STEPS):
        if card.now_s >= next_s:
            next_s += each_s
            allowed = card.allows(scene.mark_s + scene.segment_s)
            refused_s = card.now_s if refused_s is None and not allowed else refused_s
            card.record(scene.mark_s + scene.segment_s, "manual" if allowed else "")
        else:
            card.record(min(step_s, next_s - card.now_s), "")
        if card.stuck or (_has_turned(card) and (refused_s is not None or not scene.marks_per_day)):
            break
    return card, refused_s


def _has_turned(card: _Card) -> bool:
    """Twice around: what there was at the beginning is gone, and the watermarks were reached often enough."""
    return card.turned_s is not None and card.now_s > card.turned_s + 2 * card.least_s


def _step_s(scene: Scene) -> float:
    """Recorded in one go: a small part of what the card holds, and of the low watermark."""
    rate = sum(scene.rates.values())
    room = scene.space.free + sum(one.bytes for one in scene.here)
    return max(scene.segment_s, min(room / rate / _PIECES, scene.policy.low(scene.space) / rate / 4))


def _coarse(segments: Iterable[Held], scene: Scene) -> list[Held]:
    """Neighbours of one kind as one: ten thousand segments would take minutes."""
    joined: list[Held] = []
    last: dict[tuple[str, str], int] = {}
    most = _step_s(scene)
    for one in sorted(segments, key=lambda s: s.order):
        where = one.library, one.camera
        before = joined[last[where]] if where in last else None
        if before and (before.lock, before.closed) == (one.lock, one.closed) and before.seconds + one.seconds <= most:
            joined[last[where]] = replace(
                before, bytes=before.bytes + one.bytes, seconds=before.seconds + one.seconds, age_s=None
            )
        else:
            last[where] = len(joined)
            joined.append(replace(one, age_s=None))
    return joined
