"""What encoder and stream give up when told: evenly, counted, and taken back."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

import pytest

from blackbox_qt.core.layout import Layout
from blackbox_qt.sinks.encoder import EncoderLimits, FramePace
from tests.sinks.test_encoder import STEP, Rig, decode

NS = 1_000_000_000
Until = Callable[[Callable[[], object]], None]


def run(rig: Rig, count: int, until: Until) -> None:
    """So many frames, each looked at before the next."""
    for _ in range(count):
        looked = rig.encoder.seen[0] + 1
        rig.source.tick(rig.t_ns)
        rig.t_ns += STEP
        until(lambda looked=looked: rig.encoder.seen[0] >= looked or rig.errors)
    assert not rig.errors


@pytest.mark.parametrize(
    ("camera", "most", "got"), [(30, 20, 20), (30, 25, 25), (60, 20, 20), (15, 20, 15), (20, 20, 20)]
)
def test_frames_are_taken_evenly(camera: int, most: int, got: int) -> None:
    pace = FramePace()
    times = [10 * NS + round(n * NS / camera) for n in range(camera * 60)]
    taken = [t for t in times if pace.takes(t, most)]
    assert len(taken) == pytest.approx(got * 60, abs=2)
    gaps = Counter(round((b - a) * camera / NS) for a, b in itertools.pairwise(taken[2:]))
    assert max(gaps) - min(gaps) <= 1, "never two in a row missing where one would do"
    assert pace.takes(NS, most), "a clock that went back begins anew"
    assert pace.takes(NS, None)


def test_a_lower_rate_loses_frames_that_are_told_and_a_file_that_plays(until: Until) -> None:
    rig = Rig()
    rig.encoder.start()
    run(rig, 10, until)
    rig.encoder.limits = EncoderLimits(fps=20)
    run(rig, 60, until)
    rig.encoder.limits = EncoderLimits()
    run(rig, 10, until)
    rig.end()
    shed = sum(p.lost.get("shed", 0) for p in rig.packets)
    assert shed == pytest.approx(20, abs=1) and len(rig.packets) + shed == 80
    assert set().union(*(p.lost for p in rig.packets)) == {"shed"}
    assert len(decode(rig.packets)) == len(rig.packets)
    assert len({id(p.stream) for p in rig.packets}) == 1, "the file goes on"


def test_what_the_mailbox_lost_beside_it_keeps_its_cause(until: Until) -> None:
    rig = Rig()
    rig.encoder.limits = EncoderLimits(fps=20)
    rig.encoder.start()
    run(rig, 5, until)
    rig.source.skip(4)
    run(rig, 5, until)
    rig.end()
    lost = sum((Counter(p.lost) for p in rig.packets), Counter())
    assert lost["camera"] == 4 and len(rig.packets) + lost["shed"] == 10


def test_another_bit_rate_begins_a_stream_where_a_key_frame_is_due(until: Until) -> None:
    rig = Rig(Layout.packed(128, 96), bitrate=400_000)
    rig.encoder.start()
    run(rig, 10, until)
    rig.encoder.limits = EncoderLimits(bitrate=0.5)
    run(rig, 40, until)
    rig.end()
    assert len(rig.packets) == 50 and all(not p.lost for p in rig.packets)
    streams = list({id(p.stream): p.stream for p in rig.packets}.values())
    first = next(n for n, p in enumerate(rig.packets) if p.stream is streams[1])
    assert len(streams) == 2 and first == 30 and rig.packets[first].key
    assert rig.encoder._bitrate == 200_000


def test_the_page_is_shown_fewer_pictures() -> None:
    from blackbox_qt.core.hub import Hub
    from blackbox_qt.sinks.jpeg import JpegSettings, JpegSink
    from tests.fakes import HandClock

    sink = JpegSink("front", Hub("front", 12).attach("jpeg"), JpegSettings(), HandClock(), print, lambda: ("", ""))
    times = [10 * NS + n * STEP for n in range(300)]
    assert sum(sink._due(t) for t in times) == 300
    sink.fps_limit = 10.0
    assert sum(sink._due(t + 20 * NS) for t in times) == pytest.approx(100, abs=2)
    sink.inbox.close()
