from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from blackbox_qt.app.flow import Flow
from blackbox_qt.core.frame import Frame, Image
from blackbox_qt.core.hub import Hub
from blackbox_qt.core.layout import Layout
from blackbox_qt.core.packet import Packet
from blackbox_qt.core.picture import wrap
from blackbox_qt.sinks.encoder import Encoder, EncoderSettings, Identity, LossTally
from blackbox_qt.sources import marks
from tests.fakes import HandSource, two_buffers

Until = Callable[[Callable[[], object]], None]
STEP = 33_333_333


class Rig:
    """A hand-driven camera with an encoder behind it."""

    def __init__(self, layout: Layout | None = None, **settings: int | str) -> None:
        self.source = HandSource(layout=layout or Layout.packed(128, 96))
        self.hub = Hub("front", 12)
        self.packets: list[Packet] = []
        self.errors: list[BaseException] = []
        inbox = self.hub.attach("encoder", depth=4)
        self.identity = Identity("pattern", "hand", 30.0)
        self.encoder = Encoder(
            "front",
            inbox,
            EncoderSettings(**settings),
            lambda: self.identity,
            self.errors.append,  # type: ignore[arg-type]
        )
        self.encoder.add_outlet(self.packets.append)
        self.source.open()
        self.flow = Flow(self.hub.publish, self.source.clock)
        self.source.start(self.flow.deliver, self.errors.append)
        self.t_ns = 10**9

    def run(self, count: int, until: Until, step_ns: int = STEP) -> None:
        """So many frames, each encoded before the next."""
        for _ in range(count):
            done = self.encoder.encoded + 1
            self.source.tick(self.t_ns)
            self.t_ns += step_ns
            until(lambda done=done: self.encoder.encoded >= done or self.errors)

    def end(self) -> None:
        self.source.stop()
        assert self.encoder.stop(5)
        self.source.close()


def decode(packets: list[Packet]) -> list[np.ndarray]:
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = packets[0].stream.avcc
    frames = [f for p in packets for f in decoder.decode(av.Packet(p.data))] + list(decoder.decode(None))
    return [f.to_ndarray() for f in frames]


LAYOUTS = [Layout.packed(128, 96), Layout.packed(128, 96, stride=192), two_buffers(128, 96, 160)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_frame_becomes_a_packet_with_its_number_and_time(layout: Layout, until: Until) -> None:
    rig = Rig(layout, bitrate=2_000_000)
    rig.encoder.start()
    rig.run(20, until)
    rig.end()
    assert [p.seq for p in rig.packets] == list(range(20))
    assert [p.t_ns for p in rig.packets] == [10**9 + i * STEP for i in range(20)]
    pictures = decode(rig.packets)
    read = [marks.read(picture[:96, :128]) for picture in pictures]
    assert read == [(p.seq, p.t_ns // 1000) for p in rig.packets]
    assert rig.packets[0].stream.origin == "pattern" and not rig.errors


@pytest.mark.parametrize("step_ns", [STEP, 2 * STEP, 100_000_000])
def test_key_frames_come_by_sensor_time_not_by_count(step_ns: int, until: Until) -> None:
    rig = Rig()
    rig.encoder.start()
    rig.run(int(3.3e9 / step_ns), until, step_ns)
    rig.end()
    keys = [p.t_ns for p in rig.packets if p.key]
    assert len(keys) == 4 and rig.packets[0].key
    assert all(10**9 - 2_000_000 <= gap <= 10**9 + step_ns for gap in np.diff(keys))


def test_a_key_frame_can_be_asked_for(until: Until) -> None:
    rig = Rig()
    rig.encoder.start()
    rig.run(3, until)
    rig.encoder.request_key()
    rig.run(2, until)
    rig.end()
    assert [p.key for p in rig.packets] == [True, False, False, True, False]


def test_a_change_of_size_opens_a_new_stream_and_loses_nothing(until: Until) -> None:
    rig = Rig()
    rig.encoder.start()
    rig.run(4, until)
    rig.source.stop()
    rig.source.close()
    rig.source.layout = Layout.packed(64, 48)
    rig.source.open()
    rig.source.start(rig.flow.deliver, rig.errors.append)
    rig.run(4, until)
    rig.end()
    assert [p.seq for p in rig.packets] == list(range(8))
    assert [(p.stream.width, p.key) for p in rig.packets if p.key] == [(128, True), (64, True)]
    assert len(decode(rig.packets[:4])) == len(decode(rig.packets[4:])) == 4


def test_losses_are_counted_where_they_happened(until: Until) -> None:
    rig = Rig()
    rig.source.tick(10**9)
    for i in range(1, 7):  # depth 4, and nobody takes: three of seven are the mailbox's
        rig.source.tick(10**9 + i * STEP)
    rig.encoder.start()
    until(lambda: rig.encoder.encoded == 4)
    rig.source.skip(2)
    rig.run(1, until)
    rig.end()
    assert [dict(p.lost) for p in rig.packets] == [{"mailbox": 3}, {}, {}, {}, {"camera": 2}]


def test_the_mailboxs_drops_are_not_the_cameras() -> None:
    source, hub = HandSource(), Hub("front", 12)
    box = hub.attach("encoder", depth=2)
    tally = LossTally(box)
    source.open()
    source.start(Flow(hub.publish, source.clock).deliver, lambda error: None)

    def take() -> dict[str, int]:
        frame = box.take(0)
        assert frame is not None
        with frame:
            return tally.before(frame)

    source.tick()
    assert take() == {}
    for _ in range(3):
        source.tick()
    source.skip(5)
    source.tick()
    assert take() == {"mailbox": 2}
    assert take() == {"camera": 5}
    source.stop()
    hub.detach(box)
    source.close()


def test_what_was_missed_while_there_was_no_encoder_is_the_encoders(until: Until) -> None:
    rig = Rig()
    rig.encoder.start()
    rig.run(3, until)
    assert rig.encoder.stop(5)
    rig.hub.detach(rig.encoder.inbox)
    for _ in range(4):
        rig.source.tick(rig.t_ns)
        rig.t_ns += STEP
    inbox = rig.hub.attach("encoder", depth=4)
    settings = EncoderSettings()
    rig.encoder = Encoder("front", inbox, settings, Identity, rig.errors.append, after=rig.encoder.seen)
    rig.encoder.add_outlet(rig.packets.append)
    rig.encoder.start()
    rig.run(2, until)
    rig.end()
    assert [(p.seq, dict(p.lost)) for p in rig.packets[3:]] == [(7, {"encoder": 4}), (8, {})]


def test_time_that_goes_back_begins_a_new_stream_and_loses_nothing(until: Until) -> None:
    rig = Rig()
    rig.encoder.start()
    rig.run(4, until)
    rig.t_ns -= 3600 * 10**9
    rig.run(4, until)
    rig.end()
    assert [p.seq for p in rig.packets] == list(range(8))
    assert [p.key for p in rig.packets] == [True, False, False, False] * 2
    assert rig.packets[3].stream is not rig.packets[4].stream


def test_another_start_of_the_camera_begins_a_new_stream_whose_numbers_do_not_compare(until: Until) -> None:
    rig = Rig()
    rig.encoder.start()
    rig.run(3, until)
    rig.source.stop()

    rig.flow.begin()
    rig.source.start(rig.flow.deliver, rig.errors.append)
    rig.source.skip(1000)
    rig.run(3, until)
    rig.end()
    assert len({id(p.stream) for p in rig.packets[:3]}) == len({id(p.stream) for p in rig.packets[3:]}) == 1
    assert rig.packets[2].stream is not rig.packets[3].stream and rig.packets[3].key
    assert [dict(p.lost) for p in rig.packets] == [{}] * 6


def test_time_that_stands_still_is_encoded_all_the_same(until: Until) -> None:
    rig = Rig()
    rig.encoder.start()
    rig.run(70, until, step_ns=0)
    rig.end()
    assert [p.seq for p in rig.packets] == list(range(70)) and not rig.errors
    assert sum(p.key for p in rig.packets) == 2, "so that a file can be cut"


def test_numbers_of_another_opening_are_no_loss() -> None:
    source, hub = HandSource(), Hub("front", 12)
    box = hub.attach("encoder", depth=4)
    tally, flow = LossTally(box), Flow(hub.publish, source.clock)
    source.open()

    def lost(skip: int) -> dict[str, int]:
        source.skip(skip)
        source.tick()
        frame = box.take(0)
        assert frame is not None
        with frame:
            return tally.before(frame)

    for hole, expected in ((10, {}), (5000, {}), (2, {"camera": 2})):
        if hole > 2:
            flow.begin()
            source.start(flow.deliver, lambda error: None)
        assert lost(hole) == expected
    source.stop()
    hub.detach(box)
    source.close()


def test_what_waits_at_the_end_is_encoded(until: Until) -> None:
    """The source has stopped, the encoder was behind: no record would tell of the loss of those frames."""
    rig = Rig()
    for i in range(3):
        rig.source.tick(10**9 + i * STEP)
    rig.encoder.start()
    rig.end()
    assert [p.seq for p in rig.packets] == [0, 1, 2]


def test_a_dead_encoder_keeps_no_frame(until: Until) -> None:
    rig = Rig(Layout.packed(64, 48))
    rig.encoder.add_outlet(lambda packet: (_ for _ in ()).throw(OSError("gone")))
    for i in range(3):
        rig.source.tick(10**9 + i)
    rig.encoder.start()
    until(lambda: rig.errors)
    until(lambda: rig.source.out == 0)
    rig.source.tick(10**9 + 9)
    assert rig.source.out == 0
    rig.end()


def test_a_format_it_cannot_encode_is_one_sentence(until: Until) -> None:
    rig = Rig(Layout.packed(64, 48, "YUYV"))
    rig.source._images = lambda memory, number: {"main": Image(Layout.packed(64, 48, "YUYV"), [memory])}  # type: ignore[method-assign,list-item]
    import tests.fakes

    original, tests.fakes.paint_numbered = tests.fakes.paint_numbered, lambda *_: None
    try:
        rig.encoder.start()
        rig.source.tick(1)
        until(lambda: rig.errors)
    finally:
        tests.fakes.paint_numbered = original
    assert str(rig.errors[0]) == "pixel format YUYV cannot be encoded; YU12 and NV12 can"
    rig.end()


def test_the_encoder_reads_the_cameras_memory_itself() -> None:
    for layout in (Layout.packed(128, 96, stride=160), two_buffers(128, 96, 160)):
        source = HandSource(layout=layout)
        source.open()
        same: list[bool] = []

        def deliver(frame: Frame, same: list[bool] = same) -> None:
            with frame:
                image = frame.images["main"]
                picture = wrap(image)
                ours = [p.ctypes.data for p in image.planes()]
                same.append([p.buffer_ptr for p in picture.planes] == ours)
                del picture

        source.start(deliver, lambda error: None)
        source.tick()
        source.stop()
        source.close()
        assert same == [True]


def test_no_frame_is_copied_on_its_way_into_the_encoder() -> None:
    """In a process of its own, whose heap has no large hole to reuse and whose pages are small: see copies.py."""
    script = Path(__file__).with_name("copies.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=50)
    found = json.loads(done.stdout)
    assert found["ours"] < found["pages"] / 20
    assert found["copying"] > found["pages"] / 2, "the method must be able to see a copy"


def test_packets_play_in_a_file_of_our_own(tmp_path: Path, until: Until) -> None:
    """The form packets have is the one MP4 stores: length-prefixed, parameters in avcC only."""
    rig = Rig()
    rig.encoder.start()
    rig.run(5, until)
    rig.end()
    for packet in rig.packets:
        at, kinds = 0, []
        while at < len(packet.data):
            size = int.from_bytes(packet.data[at : at + 4], "big")
            kinds.append(packet.data[at + 4] & 31)
            at += 4 + size
        assert at == len(packet.data)
        assert (5 in kinds) is packet.key and 7 not in kinds
    assert rig.packets[0].stream.avcc[0] == 1
