"""The head says which start of the machine its boot times count from; older files do not, and are read all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackbox_qt.core.clock import SystemClock
from blackbox_qt.storage import open_segment, record, record_read
from blackbox_qt.storage.verify import verify

from .fakes import Bench, FakeClock, FaultDisk, dull


def test_the_head_names_the_machines_start(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.feed(dull(30))
    bench.clock.machine_boot = "another start"
    bench.finish()
    assert verify(FaultDisk(), bench.finished[0].path).machine_boot == "fake-boot"


def test_a_file_made_before_there_was_one_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = record.head

    def old_head(*args: object) -> record.Body:
        body = made(*args)  # type: ignore[arg-type]
        del body["machine_boot"]
        return body

    monkeypatch.setattr(open_segment.record, "head", old_head)
    bench = Bench(tmp_path)
    bench.feed(dull(30))
    bench.finish()
    report = verify(FaultDisk(), bench.finished[0].path)
    assert (report.state, report.machine_boot) == ("finished", "")


@pytest.mark.parametrize("nonsense", [7, None, "x" * 1001])
def test_a_start_that_is_no_text_is_refused(nonsense: object) -> None:
    info, link = dull(1)[0].stream, record.Link()
    body = record.head(info, 1, 1, "", link, FakeClock().anchor()) | {"machine_boot": nonsense}
    with pytest.raises(ValueError, match="machine_boot"):
        record_read.head(body)


def test_the_kernels_id_and_a_machine_without_one(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("0c1f\n")
    assert SystemClock(tmp_path / "id").machine_boot == "0c1f"
    assert SystemClock(tmp_path / "none").machine_boot == ""
    assert len(SystemClock().machine_boot) == 36
