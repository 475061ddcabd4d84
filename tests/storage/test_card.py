"""The card is pulled, put back, changed, broken and removed politely: recording goes on in the ring and comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blackbox_qt.storage.card import IDENTITY
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.disk import StorageError

from .cards import EIO, EROFS, Slot
from .fakes import SECOND, dull
from .looks import look, times

GONE = "Card missing: nothing is mounted at"
BACK = "the card is back"


def recorded(bench: Slot) -> set[int]:
    return {t for path in bench.everywhere() for t in look(path).times_ns}


def in_ring(bench: Slot) -> list[str]:
    return sorted(path.name for path in bench.state.rglob("*.mp4*"))


def on_card(bench: Slot) -> list[str]:
    return sorted(path.name for path in bench.slot.rglob("*.mp4*"))


def test_a_card_gets_an_identity_and_is_remembered_on_the_system_disk(tmp_path: Path) -> None:
    bench = Slot(tmp_path)
    bench.feed(dull(30))
    bench.look()
    told = json.loads((bench.slot / IDENTITY).read_bytes())
    kept = json.loads((bench.state / "card").read_bytes())
    assert kept["card"] == told["card"] == bench.card.id != ""
    assert (kept["point"], kept["starts"]) == (str(bench.slot), {"recordings": 1, "demo": 1})
    assert Slot(tmp_path).card.id == bench.card.id, "the same card, the same identity"


def test_a_start_is_noted_before_its_number_is_given(tmp_path: Path, expected_alarms: list[str]) -> None:
    """The power may go before anybody looks a second time."""
    expected_alarms.append(GONE)
    first = Slot(tmp_path)
    first.feed(dull(30))
    first.seam.pull()
    bench = Slot(tmp_path, inside=False)
    bench.feed(dull(30))
    assert in_ring(bench) == ["front-000002-00001.mp4.part"]


def test_a_folder_of_the_system_disk_is_no_card(tmp_path: Path) -> None:
    bench = Slot(tmp_path, inside=False)
    bench.slot.mkdir(exist_ok=True)
    bench.feed(dull(30))
    bench.finish()
    assert (bench.card.state, in_ring(bench), on_card(bench)) == ("none", [], ["front-000001-00001.mp4"])
    assert not (bench.slot / IDENTITY).exists() and not (bench.state / "card").exists()


def test_a_pulled_card_costs_no_frame_and_what_follows_is_in_the_ring(
    tmp_path: Path, expected_alarms: list[str]
) -> None:
    expected_alarms += [GONE, BACK]
    bench = Slot(tmp_path)
    packets = dull(600)
    bench.feed(packets[:100])
    away = bench.seam.pull()
    bench.look()
    assert bench.card.state == "missing"
    bench.feed(packets[100:400])
    status = bench.recording.status()
    assert status.state == "recording" and status.segment == "front-000002-00001"
    assert in_ring(bench) == ["front-000002-00001.mp4.part"]
    bench.seam.put(away)
    bench.look()
    bench.feed(packets[400:])
    bench.finish()
    assert in_ring(bench) == ["front-000002-00001.mp4"]
    assert on_card(bench) == ["front-000001-00001.mp4", "front-000003-00001.mp4"], "a start above the ring's"
    assert recorded(bench) == times(packets)
    assert bench.recording.status().lost == {}
    assert check_paths([bench.slot, bench.state]).ok


def test_each_stay_in_the_ring_is_a_start_of_its_own(tmp_path: Path, expected_alarms: list[str]) -> None:
    """Else the second would continue the first, and what is on the card between them would be called missing."""
    expected_alarms += [GONE, BACK, GONE, BACK]
    bench = Slot(tmp_path)
    packets = dull(900)
    for first in (0, 360):
        bench.feed(packets[first : first + 100])
        away = bench.seam.pull()
        bench.look()
        bench.feed(packets[first + 100 : first + 300])
        bench.seam.put(away)
        bench.look()
        bench.feed(packets[first + 300 : first + 360])
    bench.feed(packets[720:])
    bench.finish()
    assert in_ring(bench) == ["front-000002-00001.mp4", "front-000004-00001.mp4"]
    assert on_card(bench)[-1] == "front-000005-00001.mp4"
    result = check_paths([bench.slot, bench.state])
    assert result.ok and result.missing == 0 and recorded(bench) == times(packets)


def test_the_mount_is_asked_before_every_segment_not_only_once_a_second(
    tmp_path: Path, expected_alarms: list[str]
) -> None:
    expected_alarms.append(GONE)
    bench = Slot(tmp_path, segment_s=0.9)
    packets = dull(90)
    bench.feed(packets[:20])
    bench.seam.pull()
    bench.feed(packets[20:])  # nobody has looked
    assert list(bench.slot.rglob("*")) == []
    assert bench.recording.status().segment == "front-000002-00002"


def test_a_start_without_the_card_records_in_the_ring(tmp_path: Path, expected_alarms: list[str]) -> None:
    first = Slot(tmp_path)
    first.feed(dull(30))
    first.look()
    first.finish()
    first.seam.pull()
    expected_alarms.append(GONE)
    bench = Slot(tmp_path, inside=False)
    assert (bench.card.state, bench.card.id) == ("missing", first.card.id)
    bench.feed(dull(60))
    bench.finish()
    assert in_ring(bench) == ["front-000002-00001.mp4"] and list(bench.slot.iterdir()) == []


def test_a_start_without_card_and_ring_is_one_sentence(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append(GONE)
    first = Slot(tmp_path)
    first.look()
    first.seam.pull()
    with pytest.raises(StorageError, match=r"Cannot record to the data folder .*: card missing: .*\.$"):
        Slot(tmp_path, inside=False, ring=None)


def test_a_required_card_is_missed_from_the_first_start_on(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append(GONE)
    bench = Slot(tmp_path, inside=False, policy="required")
    assert bench.card.state == "missing"
    bench.feed(dull(30))
    assert in_ring(bench) == ["front-000001-00001.mp4.part"]


def test_any_folder_will_do_if_so_configured(tmp_path: Path) -> None:
    bench = Slot(tmp_path, policy="any")
    away = bench.seam.pull()
    bench.look()
    bench.feed(dull(30))
    assert bench.recording.status().state == "recording" and in_ring(bench) == [] and away.is_dir()


@pytest.mark.parametrize("code", [EIO, EROFS])
def test_a_card_that_refuses_is_left_for_the_ring_until_it_takes_data_again(
    tmp_path: Path, code: int, expected_alarms: list[str]
) -> None:
    expected_alarms += [{EIO: "Card error: Input/output error", EROFS: "Disk is read-only"}[code], BACK]
    bench = Slot(tmp_path)
    packets = dull(900)
    bench.feed(packets[:100])
    bench.seam.broken = code
    began = bench.clock.now
    bench.put(packets[100])
    while bench.recording.status().state != "fault":
        bench.clock.advance(0.1)
        bench.recording.step()
    assert bench.clock.now - began <= SECOND, "said within a second"
    bench.feed(packets[101:300])
    assert bench.card.state == "broken" and bench.recording.status().state == "recording"
    bench.look()
    assert bench.card.state == "broken", "it is proved by writing, not by reading"
    bench.seam.broken = 0
    bench.look()
    bench.feed(packets[300:])
    bench.finish()
    assert recorded(bench) == times(packets) and bench.recording.status().lost == {}
    assert on_card(bench)[-1] == "front-000003-00001.mp4"
    assert check_paths([bench.slot, bench.state]).ok


def test_one_error_does_not_make_a_card_a_bad_one(tmp_path: Path) -> None:
    bench = Slot(tmp_path)
    packets = dull(300)
    bench.feed(packets[:100])
    bench.seam.fail("datasync")
    bench.feed(packets[100:])
    bench.finish()
    assert in_ring(bench) == [] and bench.card.state == "fine"
    assert recorded(bench) == times(packets)


def test_a_full_card_is_no_missing_one(tmp_path: Path) -> None:
    bench = Slot(tmp_path)
    bench.feed(dull(40))
    bench.seam.room = 0
    bench.feed(dull(200)[40:])
    assert bench.recording.status().words.startswith("Disk full")
    assert bench.card.state == "fine" and in_ring(bench) == []


def test_a_device_that_was_unplugged_is_seen_although_its_mount_is_still_there(
    tmp_path: Path, expected_alarms: list[str]
) -> None:
    expected_alarms.append(GONE)
    device = tmp_path / "sys" / "dev" / "block" / "0:7"
    device.mkdir(parents=True)
    bench = Slot(tmp_path)
    bench.feed(dull(40))
    device.rmdir()
    bench.look()
    assert bench.card.state == "missing"


def test_another_card_is_recorded_on_under_names_of_its_own(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms += [GONE, BACK, "another card is at", "was taken away before"]
    bench = Slot(tmp_path)
    packets = dull(300)
    bench.feed(packets[:100])
    bench.seam.pull()
    bench.look()
    bench.feed(packets[100:200])
    other = tmp_path / "other"
    (other / "recordings" / "000040").mkdir(parents=True)
    bench.seam.put(other, 8)
    bench.look()
    bench.feed(packets[200:])
    bench.finish()
    assert on_card(bench) == ["front-000041-00001.mp4"]


def test_a_removed_card_is_let_go_of_and_the_ring_takes_over(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms += ["Card removed: put it back", BACK]
    bench = Slot(tmp_path)
    packets = dull(600)
    bench.feed(packets[:100])
    bench.card.remove()
    bench.feed(packets[100:200])
    assert on_card(bench) == ["front-000001-00001.mp4"], "finished, nothing is open on it"
    assert in_ring(bench) == ["front-000002-00001.mp4.part"]
    bench.look()
    assert bench.card.state == "removed", "it has not been away"
    away = bench.seam.pull()
    bench.look()
    bench.seam.put(away)
    bench.look()
    assert bench.card.state == "fine"
    bench.feed(packets[200:])
    bench.finish()
    assert recorded(bench) == times(packets) and bench.recording.status().lost == {}


def test_a_removed_card_that_stays_in_is_used_again_when_asked(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms += ["Card removed: put it back", BACK]
    bench = Slot(tmp_path)
    bench.card.remove()
    bench.look()
    bench.card.use()
    bench.look()
    assert bench.card.state == "fine"


def test_a_look_that_was_under_way_does_not_undo_a_removal(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append("Card removed: put it back")
    bench = Slot(tmp_path)
    bench.card._doubted = True  # so that the look asks the disk last
    unlink = bench.seam.unlink

    def asked_meanwhile(path: Path) -> None:
        bench.card.remove()
        unlink(path)

    bench.seam.unlink = asked_meanwhile  # type: ignore[method-assign]
    bench.look()
    assert bench.card.state == "removed"


def test_after_a_removal_recording_stops_if_so_configured(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append("Card removed: put it back")
    bench = Slot(tmp_path, stop_when_removed=True)
    bench.feed(dull(100))
    bench.card.remove()
    bench.feed(dull(200)[100:])
    status = bench.recording.status()
    assert (status.state, status.words) == ("fault", f"Card removed: put it back to record on it ({bench.slot})")
    assert in_ring(bench) == [] and on_card(bench) == ["front-000001-00001.mp4"]


def test_a_removed_card_is_let_go_of_while_no_pictures_come(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append("Card removed: put it back")
    bench = Slot(tmp_path)
    bench.feed(dull(40))
    bench.clock.advance(1)
    bench.recording.step()
    bench.card.remove()
    bench.recording.step()
    assert on_card(bench) == ["front-000001-00001.mp4"]


def test_the_ring_is_bounded_and_its_oldest_goes_first(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms += [GONE, "the ring on the system's disk is full, its oldest goes: front-000002-00001"]
    limit = 60_000
    bench = Slot(tmp_path, ring=limit, segment_s=600)
    bench.seam.pull()
    bench.look()
    packets = dull(30 * 60)
    for packet in packets:
        bench.feed([packet])
        taken = sum(path.stat().st_size for path in bench.state.rglob("*.mp4*"))
        assert taken <= limit
    bench.finish()
    kept = in_ring(bench)
    assert len(kept) > 5 and "front-000002-00001.mp4" not in kept, kept
    assert bench.recording.status().lost == {} and bench.ring is not None and bench.ring.dropped > 0


def test_what_was_locked_leaves_the_ring_last(tmp_path: Path, expected_alarms: list[str]) -> None:
    from blackbox_qt.storage import sidecar

    expected_alarms += [GONE, "the ring on the system's disk is full"]
    bench = Slot(tmp_path, ring=60_000, segment_s=600)
    bench.seam.pull()
    bench.look()
    packets = dull(30 * 60)
    bench.feed(packets[:300])
    first = bench.ring.segments()[0]  # type: ignore[union-attr]
    lock = sidecar.Lock("mark-1", "manual", "a test")
    sidecar.change(bench.disk, first.folder, first.name, lambda beside: beside.with_lock(lock))
    bench.feed(packets[300:])
    bench.finish()
    assert first.name.final in in_ring(bench)


def test_a_system_disk_that_is_full_too_says_both(tmp_path: Path, expected_alarms: list[str]) -> None:
    expected_alarms.append(GONE)
    bench = Slot(tmp_path)
    bench.feed(dull(40))
    bench.seam.pull()
    bench.look()
    bench.seam.room = 0
    bench.feed(dull(120)[40:])
    words = bench.recording.status().words
    assert GONE in words and "Disk full" in words
