"""`blackbox-qt time` against a running box: says what is believed, tells it by hand, and says so where none runs."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blackbox_qt.__main__ import main
from blackbox_qt.commands.moment import moment

from .conftest import Box, running, settings


@pytest.fixture
def own(tmp_path: Path, possible_alarms: list[str]) -> Iterator[Box]:
    """A box for what would be remembered."""
    possible_alarms.append("Time in doubt")
    with running(settings(tmp_path)) as made:
        yield made


def config(folder: Path, port: int, zone: str = "Asia/Seoul") -> str:
    path = folder / "time.toml"
    path.write_text(
        f'[storage]\nstate = "{folder}/state"\n[web]\nhost = "127.0.0.1"\nport = {port}\n[time]\nzone = "{zone}"\n'
    )
    return str(path)


def test_it_is_said_and_set(own: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--config", config(tmp_path, own.visitor().host[1])]
    assert main(["time", *asked]) == 0
    before = capsys.readouterr().out
    typed = datetime.fromtimestamp(time.time() + 32_400, UTC).isoformat(timespec="seconds").partition("+")[0]
    assert main(["time", "--set", typed, *asked]) == 0, "in the configured zone, when none is typed"
    assert capsys.readouterr().out.startswith("The box knows the time: ")
    assert main(["time", *asked]) == 0
    said = capsys.readouterr().out
    if before.startswith("time unknown"):
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC · manual ±1[01] s\nsaid since", said), said
        assert "· manual ±10 s (command line)\n" in said
        assert abs(own.app.clock.anchor().utc_ns / 1e9 - time.time()) < 3
    assert main(["time", "--set", "1999-12-31T23:59", *asked]) == 1
    assert capsys.readouterr().err == (
        "blackbox-qt: That is no time of this century after 2025: check the clock it comes from.\n"
    )


def test_nobody_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "access-key").write_text("0" * 26)
    assert main(["time", "--config", config(tmp_path, 1)]) == 1
    assert capsys.readouterr().err == "blackbox-qt: no recorder runs here: nothing answers on port 1 (web.port)\n"


@pytest.mark.parametrize(
    ("text", "utc", "exact"),
    [
        ("2026-11-20T14:07+09:00", "2026-11-20T05:07:00+00:00", False),
        ("2026-11-20T14:07:31+09:00", "2026-11-20T05:07:31+00:00", True),
        ("2026-11-20 05:07:31Z", "2026-11-20T05:07:31+00:00", True),
    ],
)
def test_what_is_typed(text: str, utc: str, exact: bool) -> None:
    found, seconds = moment(text)
    assert (found.astimezone(UTC).isoformat(), seconds) == (utc, exact)


@pytest.mark.parametrize("text", ["", "noon", "14:07", "2026-11-20", "2026-13-20T14:07", "20/11/2026 14:07"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a time; write a date and a time such as"):
        moment(text)
