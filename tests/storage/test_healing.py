"""Healing: every whole fragment is kept, what is cut off is in quarantine; a cut at any step of it changes nothing."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from blackbox_qt.storage import sidecar
from blackbox_qt.storage.check import check_paths
from blackbox_qt.storage.disk import Disk, Entry, StorageError
from blackbox_qt.storage.healing import Healed, Healer
from blackbox_qt.storage.healing_round import heal_library
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Lock, Sidecar
from blackbox_qt.storage.verify import verify
from tests.crash.disk import RecordingDisk
from tests.crash.model import CORNERS, world_at

from .fakes import SECOND, Bench, FakeClock, FaultDisk, clip, dull, record, steady

NAME = SegmentName("front", 1, 1)
LOCK = Lock("m1", "manual", "window")
PROVE = bool(os.environ.get("BLACKBOX_PROVE"))


def heal(data: Path, disk: Disk | None = None, ours: tuple[int, ...] = ()) -> list[Healed]:
    disk = disk or Disk()
    clock = FakeClock(7 * SECOND)
    clock.machine_boot = "the next one"
    root = data / "recordings"
    return heal_library(disk, root, ours, Healer(disk, root, clock, "healer 1"))


def torn(data: Path, tail: bytes = b"\0\0\1\0moof half a fragment", frames: int = 40) -> Path:
    """An unfinished segment as a power cut leaves it, with a lock."""
    bench = Bench(data)
    bench.feed(clip(steady(frames), key_s=0.5))
    bench.recording.abandon()
    (part,) = bench.parts()
    with part.open("ab") as file:
        file.write(tail)
    sidecar.change(Disk(), part.parent, NAME, lambda beside: beside.with_lock(LOCK))
    return part


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in sorted(folder.rglob("*")) if p.is_file()}


def quarantine(data: Path) -> dict[str, bytes]:
    folder = data / "recordings" / "quarantine"
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())} if folder.is_dir() else {}


def decoded(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_cut_segment_is_finished_and_plays(tmp_path: Path) -> None:
    part = torn(tmp_path)
    before = verify(Disk(), part)
    (healed,) = heal(tmp_path)
    path = part.with_name(NAME.final)
    after = verify(Disk(), path)
    assert not part.exists()
    assert (after.state, after.end_reason, after.frames) == ("finished", "power-loss", before.frames)
    assert decoded(path) == before.frames
    assert healed.words == (
        "front-000001-00001: ended by power loss, 1.3 s; the last 24 bytes were not whole and are in quarantine"
    )
    assert quarantine(tmp_path) == {
        f"000001-front-000001-00001.mp4.part-from-{before.good_bytes}": b"\0\0\1\0moof half a fragment"
    }
    beside = sidecar.read(Disk(), part.parent, NAME)
    assert (beside.state, beside.ended, beside.locks) == ("finished", "power-loss", (LOCK,))
    assert after.anchor == before.anchor, "the next start's clock does not count for these pictures"


def test_a_second_time_there_is_nothing_to_do(tmp_path: Path) -> None:
    torn(tmp_path)
    heal(tmp_path)
    found, disk = tree(tmp_path), RecordingDisk(tmp_path)
    assert heal(tmp_path, disk) == []
    assert tree(tmp_path) == found
    assert disk.log[disk.begin :] == []


def test_cut_at_every_byte(memory: Path) -> None:
    """Whole fragments stay, all else is in quarantine, to the byte."""
    whole = record(memory / "all", dull(12), fragment_ms=100)[0].read_bytes()
    report = verify(Disk(), memory / "all" / "recordings" / "000001" / NAME.final)
    assert report.fragments >= 4
    ends = list(_fragment_ends(whole))
    for size in range(len(whole)):
        data = memory / "cut"
        folder = data / "recordings" / "000001"
        folder.mkdir(parents=True)
        (folder / NAME.part).write_bytes(whole[:size])
        (healed,) = heal(data)
        fragments = sum(end <= size for end in ends)
        left = {p.name for p in folder.iterdir()}
        if fragments == 0:
            assert left == set(), size
            assert list(quarantine(data).values()) == ([whole[:size]] if size else [])
            assert healed.reason == ""
        else:
            assert left == {NAME.final, NAME.sidecar}, size
            found = verify(Disk(), folder / NAME.final)
            assert (found.state, found.fragments) == ("finished", fragments), size
            kept = b"".join(quarantine(data).values())
            good = (folder / NAME.final).read_bytes()
            assert len(kept) == healed.cut_bytes
            assert whole[: size - len(kept)] + kept == whole[:size]
            assert good[: size - len(kept)] == whole[: size - len(kept)]
            assert healed.reason == ("stopped" if found.end_reason == "stopped" else "power-loss")
        shutil.rmtree(data)


def _fragment_ends(whole: bytes) -> Iterator[int]:
    """Where each fragment's record ends: from the boxes, not from our parser."""
    at, kinds = 0, []
    while at < len(whole):
        kinds.append(whole[at + 4 : at + 8])
        at += int.from_bytes(whole[at : at + 4], "big")
        if kinds[-3:] == [b"moof", b"mdat", b"uuid"]:
            yield at


def _states(history: RecordingDisk) -> Iterator[tuple[str, object]]:
    for point in range(history.begin, len(history.log) + 1):
        world = world_at(history.log, point)
        for variant in (*CORNERS, *(f"r{i}" for i in range(40 if PROVE else 4))):
            yield f"{point}:{variant}", world


def _lost(data: Path, frames: int, tail: bytes) -> str:
    """What is missing after a cut while healing and another healing; "" when nothing is."""
    try:
        heal(data)
    except StorageError as error:
        return str(error)
    folder = data / "recordings" / "000001"
    found = verify(Disk(), folder / NAME.final)
    if (found.state, found.frames) != ("finished", frames):
        return f"{found.state}, {found.frames} of {frames} frames; {found.damage}"
    if tail not in quarantine(data).values():
        return "the tail is gone"
    if sidecar.read(Disk(), folder, NAME).locks != (LOCK,):
        return "the lock is gone"
    twin = (folder / NAME.part).exists()
    if twin and (folder / NAME.part).read_bytes() != (folder / NAME.final).read_bytes():
        return "an unfinished one is left"
    return "" if decoded(folder / NAME.final) == frames else "it does not play"


def _cut_while_healing(memory: Path, forgets: tuple[str, ...] = ()) -> tuple[list[str], int]:
    tail = random.Random(3).randbytes(3000)
    part = torn(memory / "told" / "car", tail)
    frames = verify(Disk(), part).frames
    history = RecordingDisk(memory / "told", forgets)
    heal(memory / "told" / "car", history)
    bad, count = [], 0
    for name, world in _states(history):
        count += 1
        target = memory / "state"
        target.mkdir()
        world.crash(name.split(":")[1], name, target)  # type: ignore[attr-defined]
        if words := _lost(target / "car", frames, tail):
            bad.append(f"{name} after {history.log[int(name.split(':')[0]) - 1]}: {words}")
        shutil.rmtree(target)
    return bad, count


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory: hundreds of states are laid out, and each is synced."""
    shm = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="blackbox-healing-", dir=shm if shm.is_dir() else None))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def possible_alarms() -> list[str]:
    """FAT may leave a file under both its names."""
    return ["is left as it is: there is a finished segment of that name beside it"]


def test_a_cut_at_any_step_of_healing(memory: Path) -> None:
    bad, count = _cut_while_healing(memory)
    assert bad == []
    assert count > 150


@pytest.mark.parametrize("forgotten", ["sync", "sync_dir"])
def test_without_its_syncs_healing_loses(memory: Path, forgotten: str) -> None:
    bad, _ = _cut_while_healing(memory, (forgotten,))
    assert bad


def test_ours_are_left_alone(tmp_path: Path) -> None:
    torn(tmp_path)
    found = tree(tmp_path)
    assert heal(tmp_path, ours=(1,)) == []
    assert tree(tmp_path) == found


def test_one_that_another_program_is_writing_is_left_alone(tmp_path: Path, possible_alarms: list[str]) -> None:
    possible_alarms.append("another program is writing it")
    bench = Bench(tmp_path)
    bench.feed(clip()[:40])
    found = tree(tmp_path)
    assert heal(tmp_path) == []
    assert tree(tmp_path) == found
    bench.finish()
    assert verify(Disk(), bench.finished[0].path).frames == 40


def test_a_finished_one_of_that_name_is_not_overwritten(tmp_path: Path) -> None:
    part = torn(tmp_path)
    part.with_name(NAME.final).write_bytes(b"somebody's")
    found = tree(tmp_path)
    assert heal(tmp_path) == []
    assert tree(tmp_path) == found


def test_looking_changes_nothing(tmp_path: Path) -> None:
    torn(tmp_path)
    found = tree(tmp_path)
    check_paths([tmp_path])
    assert tree(tmp_path) == found


def test_one_that_lacks_only_its_name_keeps_its_reason(tmp_path: Path) -> None:
    (path,) = record(tmp_path, clip()[:40])
    data = path.read_bytes()
    path.rename(path.with_name(NAME.part))
    (healed,) = heal(tmp_path)
    assert healed.words == "front-000001-00001: it was whole (stopped), and has its final name now"
    assert path.read_bytes() == data
    assert quarantine(tmp_path) == {}


def test_one_that_was_followed_was_interrupted_and_the_chain_holds(tmp_path: Path) -> None:
    disk = FaultDisk()
    bench = Bench(tmp_path, disk)
    all_of = clip(steady(120))
    bench.feed(all_of[:50])
    disk.fail("datasync")
    bench.feed(all_of[50:])
    bench.finish()
    assert len(bench.parts()) == 1
    (healed,) = heal(tmp_path)
    assert (healed.name.seq, healed.reason) == (1, "interrupted")
    result = check_paths([tmp_path])
    assert result.ok, [note.words for note in result.chain]
    assert result.frames == 120


def test_old_damage_costs_only_itself(tmp_path: Path) -> None:
    """A flipped bit early in a long file: what is whole behind it must not go to the quarantine."""
    bench = Bench(tmp_path)
    bench.feed(dull(600))
    bench.recording.abandon()
    (part,) = bench.parts()
    before = verify(Disk(), part)
    data = bytearray(part.read_bytes())
    data[len(data) // 10] ^= 1
    part.write_bytes(data)
    (healed,) = heal(tmp_path)
    after = verify(Disk(), part.with_name(NAME.final))
    assert healed.cut_bytes == 0
    assert (after.end_reason, len(after.damage)) == ("power-loss", 1)
    assert before.frames - 10 < after.frames < before.frames


def test_what_a_cut_mixed_up_at_the_end_is_cut_off(tmp_path: Path) -> None:
    """A whole fragment behind a torn one: neither was synced."""
    bench = Bench(tmp_path, sync_ms=5000)
    bench.feed(dull(60))
    bench.recording.abandon()
    (part,) = bench.parts()
    ends = list(_fragment_ends(part.read_bytes()))
    data = bytearray(part.read_bytes())
    data[ends[-3] : ends[-3] + 200] = bytes(200)
    part.write_bytes(data)
    (healed,) = heal(tmp_path)
    assert healed.cut_bytes == len(data) - ends[-3]
    after = verify(Disk(), part.with_name(NAME.final))
    assert (after.state, after.good_bytes > ends[-3]) == ("finished", True)


@pytest.mark.parametrize("op", ["update", "write", "write_at", "cut", "datasync", "rename", "sync_dir", "replace"])
def test_a_disk_error_is_told_and_the_next_try_goes_on(tmp_path: Path, op: str) -> None:
    part = torn(tmp_path)
    frames = verify(Disk(), part).frames
    disk = FaultDisk()
    disk.fail(op)
    with pytest.raises(StorageError, match="Not everything could be healed: Card error"):
        heal(tmp_path, disk)
    heal(tmp_path, disk)
    found = verify(Disk(), part.with_name(NAME.final))
    assert (found.state, found.frames) == ("finished", frames)
    assert sidecar.read(Disk(), part.parent, NAME).locks == (LOCK,)
    assert len(quarantine(tmp_path)) == 1


def test_one_that_cannot_be_healed_does_not_keep_the_others_from_it(tmp_path: Path) -> None:
    for camera in ("a", "b", "c"):
        bench = Bench(tmp_path)
        bench.feed(clip(camera=camera)[:20])
        bench.recording.abandon()
    disk = FaultDisk()
    disk.refuse = lambda op, path: op == "update" and "b-" in path
    with pytest.raises(StorageError):
        heal(tmp_path, disk)
    assert [p.name[0] for p in tmp_path.rglob("*.part")] == ["b"]


def test_a_folder_that_cannot_be_read_does_not_keep_the_others_from_it(tmp_path: Path) -> None:
    torn(tmp_path)
    (tmp_path / "recordings" / "000002").mkdir()

    class Bad(Disk):
        def list(self, path: Path) -> tuple[Entry, ...]:
            if path.name == "000002":
                raise OSError(5, "Input/output error")
            return super().list(path)

    with pytest.raises(StorageError, match="Card error: Input/output error"):
        heal(tmp_path, Bad())
    assert not list(tmp_path.rglob("*.part"))


def test_a_full_disk_costs_nothing(tmp_path: Path) -> None:
    part = torn(tmp_path, bytes(5000))
    found, disk = part.read_bytes(), FaultDisk()
    disk.room = 100
    with pytest.raises(StorageError, match="Disk full"):
        heal(tmp_path, disk)
    assert part.read_bytes() == found


def test_what_a_cut_left_beside_segments(tmp_path: Path) -> None:
    """Prepared sidecars get their place or go; a sidecar without a segment goes to the quarantine."""
    (path,) = record(tmp_path, clip()[:40])
    folder = path.parent
    beside = folder / NAME.sidecar
    (folder / (NAME.sidecar + ".tmp")).write_bytes(b"half")
    orphan = folder / "front-000001-00007.json"
    orphan.write_bytes(sidecar.encode(Sidecar("front-000001-00007").with_lock(LOCK)))
    heal(tmp_path)
    assert sorted(p.name for p in folder.iterdir()) == [NAME.sidecar, NAME.final]
    assert list(quarantine(tmp_path)) == ["000001-front-000001-00007.json"]
    beside.rename(folder / (NAME.sidecar + ".tmp"))
    heal(tmp_path)
    assert sidecar.read(Disk(), folder, NAME).state == "finished"
    assert sorted(p.name for p in folder.iterdir()) == [NAME.sidecar, NAME.final]


def test_a_segment_without_a_sidecar_is_healed(tmp_path: Path) -> None:
    part = torn(tmp_path)
    part.with_name(NAME.sidecar).unlink()
    heal(tmp_path)
    assert sidecar.read(Disk(), part.parent, NAME) == Sidecar(NAME.stem, "finished", "power-loss")


def test_it_stops_between_two(tmp_path: Path) -> None:
    torn(tmp_path)
    root = tmp_path / "recordings"
    assert heal_library(Disk(), root, (), Healer(Disk(), root, FakeClock(), "h"), stop=lambda: True) == []
    assert list(root.rglob("*.part"))


def test_it_rests_between_pieces(tmp_path: Path) -> None:
    torn(tmp_path)
    rests: list[int] = []
    root = tmp_path / "recordings"
    heal_library(Disk(), root, (), Healer(Disk(), root, FakeClock(), "h", lambda: rests.append(1)))
    assert len(rests) > 6


def test_without_a_library_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert heal(tmp_path) == []


def test_it_stops_in_the_middle_and_the_next_start_goes_on(tmp_path: Path) -> None:
    part = torn(tmp_path, bytes(2 << 20))
    root, steps = tmp_path / "recordings", list[int]()
    frames = verify(Disk(), part).frames
    for patience in range(1, 40):
        steps.clear()
        healer = Healer(Disk(), root, FakeClock(), "h", lambda: steps.append(1), stop=lambda: len(steps) >= patience)  # noqa: B023
        if heal_library(Disk(), root, (), healer):
            break
        assert part.exists() and verify(Disk(), part).frames == frames
    assert patience > 10
    assert verify(Disk(), part.with_name(NAME.final)).frames == frames
    assert list(quarantine(tmp_path).values()) == [bytes(2 << 20)]
