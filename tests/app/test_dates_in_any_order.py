"""Clocks that do anything, in any order: nothing is overwritten, order and durations right, the best word counts."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from blackbox_qt.app.timekeeping import TimeError
from blackbox_qt.core import trust
from blackbox_qt.core.clock import NS, Anchor
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Dating
from tests.app.drives import DAY, Machine, Program, pictures

OFF = st.sampled_from((-400 * DAY, -DAY, -60 * NS, 60 * NS, DAY, 56 * 365 * DAY))


class Clocks(RuleBasedStateMachine):
    """A car's days: drives, clocks that are set, phones that are right or wrong, crashes and power cuts."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.machine = Machine(Path(self.folder.name))
        self.program = Program(self.machine)
        self.program.drive(1)  # where nothing was ever recorded no word is kept
        self.heard: dict[str, set[str]] = {}  # sources that vouched, by start of the machine
        self.liars: set[tuple[str, str]] = set()  # those of them that said something wrong
        self.dates: dict[SegmentName, tuple[Dating, ...]] = {}
        self.content: dict[str, str] = {}
        self.truth: dict[str, int] = {self.machine.machine_boot: self.machine.truth_ns}

    def said(self, source: str, honest: bool) -> None:
        boot = self.machine.machine_boot
        self.heard.setdefault(boot, set()).add(source)
        if not honest:
            self.liars.add((boot, source))

    @rule(seconds=st.integers(1, 7))
    def drive(self, seconds: int) -> None:
        self.program.drive(seconds)

    @rule(off=st.just(0) | OFF)
    def a_network_sets_the_clock(self, off: int) -> None:
        self.machine.connect()
        self.machine.wall_ns += off
        self.program.time.step()
        if trust.plausible(self.machine.anchor().utc_ns):
            self.said("ntp", off == 0)

    @rule()
    def the_network_is_lost(self) -> None:
        self.machine.network = False

    @rule(off=OFF)
    def somebody_sets_the_clock(self, off: int) -> None:
        self.machine.set_wall(self.machine.true_utc() + off)

    @rule(
        off=st.sampled_from((0, 0, NS // 2)) | OFF, who=st.integers(1, 3), source=st.sampled_from(("phone", "manual"))
    )
    def somebody_tells(self, off: int, who: int, source: str) -> None:
        utc = self.machine.true_utc() + off
        try:
            self.program.time.hear(Anchor(self.machine.now, utc, source, NS), f"{source} {who}")
        except TimeError:
            assert not trust.plausible(utc)
            return
        self.program.time.step()
        self.said(source, abs(off) < NS)

    @rule()
    def the_program_is_started_again(self) -> None:
        self.program.end()
        self.program = Program(self.machine)
        self.program.keep_house()

    @rule()
    def the_program_dies(self) -> None:
        self.program.crash()
        self.program = Program(self.machine)
        self.program.keep_house()

    @rule(off_s=st.integers(1, 10**6))
    def the_power_is_cut(self, off_s: int) -> None:
        self.program.crash()
        self.machine.reboot(off_s)
        self.truth[self.machine.machine_boot] = self.machine.truth_ns
        self.program = Program(self.machine)
        self.program.keep_house()

    @invariant()
    def nothing_is_overwritten(self) -> None:
        """Finished recordings stay as they are, and a date once written stays where it is."""
        now = pictures(self.machine.data)
        finished = {name: content for name, content in now.items() if name.endswith(".mp4")}
        assert self.content.items() <= finished.items()
        self.content = finished
        for segment in self.program.segments():
            dates = segment.sidecar.dates
            assert dates[: len(self.dates.get(segment.name, ()))] == self.dates.get(segment.name, ())
            self.dates[segment.name] = dates

    @invariant()
    def order_and_durations_are_the_boot_clocks(self) -> None:
        last: tuple[int, int] = (0, 0)
        for segment in self.program.segments():
            assert segment.first_t_ns is not None and segment.last_t_ns is not None
            assert round(segment.duration_s * 10) + 1 == segment.frames
            at = (int(segment.machine_boot.removeprefix("boot-")), segment.first_t_ns)
            assert at > last
            last = (at[0], segment.last_t_ns)
        names = [segment.name for segment in self.program.segments()]
        assert names == sorted(set(names))

    @invariant()
    def the_most_trusted_is_believed_and_told_truly(self) -> None:
        for segment in self.program.segments():
            best, first = segment.dating, segment.first_t_ns
            assert best and first is not None
            boot, source = segment.machine_boot, best.source
            if source != "unsynced" and (boot, source) not in self.liars:
                off = trust.utc_at(best, first) - first - self.truth[boot]
                within = trust.uncertainty_at(best, first)
                assert within is not None and abs(off) <= within

    def teardown(self) -> None:
        try:
            self.at_last()
        finally:
            self.program.crash()
            self.folder.cleanup()

    def at_last(self) -> None:
        """Every segment is dated by the best of those who ever vouched in its start of the machine."""
        self.program.end()
        self.program = Program(self.machine)
        self.program.keep_house()
        for segment in self.program.segments():
            ranks = {trust.rank(source) for source in self.heard.get(segment.machine_boot, set())} or {0}
            assert segment.dating
            assert trust.rank(segment.dating.source if segment.dated else "") == max(ranks), segment
        self.nothing_is_overwritten()


def test_clocks_that_do_anything(possible_alarms: list[str]) -> None:
    possible_alarms.append("Time in doubt")
    few = settings(max_examples=30, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Clocks, settings=few)
