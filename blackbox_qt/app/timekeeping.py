"""The time of day, from whoever vouches for it best; what was recorded before is dated when somebody does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blackbox_qt.app.status import TimeStatus
from blackbox_qt.core import trust
from blackbox_qt.core.clock import Anchor, Clock
from blackbox_qt.core.doubt import conflict_words, says
from blackbox_qt.core.local_time import UNSYNCED, local_words, offset_s
from blackbox_qt.core.rtc import rtc_anchor
from blackbox_qt.storage.dating import Dater
from blackbox_qt.storage.disk import Disk
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.times import TimesFile, Witness

log = logging.getLogger(__name__)

MOST_WITNESSES = 48
"""Different opinions heard in one start of the machine; whoever comes later and is not trusted more is refused."""


class TimeError(Exception):
    """Somebody's time is not taken; one sentence for him."""


class Timekeeper:
    """A Clock whose UTC is the best that anybody vouches for, carried on by the boot clock.

    The machine's own clock may stand at 1970 or jump: it counts while the kernel says that it is kept by a network, or
    when it came from an RTC, and what it said then goes on counting, with a doubt that grows.

    Threads: any; `step` by one thread, blocks on the disk. Nothing else blocks.
    """

    def __init__(self, system: Clock, zone: str = "", rtc: Callable[[Anchor], Anchor | None] = rtc_anchor) -> None:
        self.zone = zone
        self._system = system
        self._rtc = rtc
        self._rtc_asked = False
        self._lock = threading.Lock()  # for moments only
        self._told: dict[str, tuple[Witness, ...]] = {}  # by start of the machine, as heard
        self._mine: tuple[Witness, ...] = ()  # of this start: read without the lock
        self._by_system: Anchor | None = None  # the last word of the kernel when a network kept its clock
        self._unwritten: list[Witness] = []
        self._file: TimesFile | None = None
        self._dater: Dater | None = None
        self._card_is_there: Callable[[], bool] = lambda: True
        self._loaded = False
        self._trouble = self._conflict_told = ""
        self._jumps_told = False

    # as a Clock

    @property
    def machine_boot(self) -> str:
        return self._system.machine_boot

    def boot_ns(self) -> int:
        return self._system.boot_ns()

    def anchor(self) -> Anchor:
        """Now, by the best source; `unsynced`, with the machine's own idea, when there is none."""
        now = self._system.anchor()
        if trust.vouched(now):
            self._by_system = now
        said: list[trust.Pair] = [*self._mine]
        if self._by_system is not None:
            said.append(self._by_system)
        believed = trust.best(said)
        if believed is None:
            return Anchor(now.boot_ns, now.utc_ns, UNSYNCED, None)
        if believed is now:
            return now
        utc, within = trust.utc_at(believed, now.boot_ns), trust.uncertainty_at(believed, now.boot_ns)
        return Anchor(now.boot_ns, utc, believed.source, within)

    # witnesses

    def hear(self, pair: Anchor, by: str) -> str:
        """Take somebody's word, and say what it is worth here; TimeError when it is no word at all."""
        if not trust.plausible(pair.utc_ns):
            raise TimeError("That is no time of this century after 2025: check the clock it comes from.")
        self._heard(pair, by)
        return self._answer(pair)

    def _heard(self, pair: Anchor, by: str) -> None:
        """Remember it if it says something new."""
        witness = Witness(self.machine_boot, pair.boot_ns, pair.utc_ns, pair.source, pair.uncertainty_ns, by)
        with self._lock:
            if not trust.adds(self._mine, witness):
                return
            if len(self._mine) >= MOST_WITNESSES and not trust.outranks(self._mine, witness):
                raise TimeError("The box has heard too many different times since it started, and takes no more.")
            self._remember([witness])
            self._unwritten.append(witness)
        moment = local_words(pair.utc_ns, self.zone, pair.source, pair.uncertainty_ns)
        log.info("the time is %s%s", moment, f", says {by}" if by else "")

    def _remember(self, witnesses: Iterable[Witness]) -> None:
        for one in witnesses:
            self._told[one.machine_boot] = (*self._told.get(one.machine_boot, ()), one)
        self._mine = self._told.get(self.machine_boot, ())

    def _answer(self, pair: Anchor) -> str:
        now = self.anchor()
        believed = local_words(now.utc_ns, self.zone, now.source, now.uncertainty_ns)
        if trust.contradict(now, pair):
            return f"It is kept, and contradicts what is believed more: {believed}."
        return f"The box knows the time: {believed}."

    def witnesses(self) -> Mapping[str, tuple[Witness, ...]]:
        """All that were heard, by start of the machine, in order."""
        with self._lock:
            return dict(self._told)

    @property
    def mine(self) -> tuple[Witness, ...]:
        """Those of this start of the machine, in the order heard."""
        return self._mine

    # words

    def status(self) -> TimeStatus:
        now = self.anchor()
        words = local_words(now.utc_ns, self.zone, now.source, now.uncertainty_ns)
        within = None if now.uncertainty_ns is None else round(now.uncertainty_ns / trust.NS, 3)
        return TimeStatus(words, now.source, within, self.conflict(), self.zone, offset_s(now.utc_ns, self.zone))

    def conflict(self) -> str:
        """One sentence about who disagrees in this start of the machine; empty when nobody does."""
        return conflict_words(self._mine, self.zone)

    # the keeper's step

    def attach(self, disk: Disk, data: Path, libraries: Callable[[], Iterable[Library]]) -> None:
        """Where witnesses are kept, and what is dated. Touches nothing yet."""
        self._file = TimesFile(disk, data)
        self._dater = Dater(libraries, self.witnesses)
        # A card that was pulled leaves its mount point, a folder of the system's disk, and no library in it.
        self._card_is_there = lambda: any(disk.is_dir(library.root) for library in libraries())

    def step(self) -> None:
        """Look at the clocks, keep what was heard, date what can be dated; about once a second."""
        self.look()
        try:
            self._keep()
            self._trouble = ""
        except OSError as error:
            self._complain(error.strerror or str(error))
        if self._dater is not None:
            self._dater.step()

    def look(self) -> None:
        """Hear what the machine's own clocks say now. Asks the RTC at the first call; never the disk."""
        self._look_at_clocks()
        self._say_conflict()

    def _look_at_clocks(self) -> None:
        now = self._system.anchor()
        if trust.vouched(now):
            self._heard_of_the_machine(now)
        elif not self._rtc_asked:  # once: whether the clock came from it was decided at the machine's start
            self._rtc_asked = True
            rtc = self._rtc(now)
            if rtc is not None:
                self._heard_of_the_machine(rtc)

    def _heard_of_the_machine(self, pair: Anchor) -> None:
        try:
            self._heard(pair, "this machine")
        except TimeError as error:  # its clock jumps without end: what it says now counts, but is not kept
            if not self._jumps_told:
                log.warning("this machine's clock jumps: %s", error)
            self._jumps_told = True

    def _keep(self) -> None:
        """The file is read once, and made anew where another card lacks it."""
        if self._file is None or not self.machine_boot:  # without a boot id nobody could tell one start from another
            return
        if not self._card_is_there():
            return
        file = self._file
        if not self._loaded:
            before = file.load()
            with self._lock:
                self._merge(before)
            self._loaded = True
        there = file.exists
        with self._lock:
            waiting = list(self._unwritten if there else self._mine)
        if waiting:
            file.add(waiting)
        with self._lock:
            self._unwritten = [one for one in self._unwritten if one not in waiting]

    def _merge(self, before: Iterable[Witness]) -> None:
        """What was told earlier comes first."""
        since, self._told = self._told, {}
        self._remember(dict.fromkeys(before))  # a line may be there twice, after an error of the disk
        for witnesses in since.values():
            self._remember(one for one in witnesses if one not in self._told.get(one.machine_boot, ()))

    def _complain(self, words: str) -> None:
        if words != self._trouble:
            log.warning("what is known of the time cannot be kept: %s", words)
        self._trouble = words

    def _say_conflict(self) -> None:
        words = self.conflict()
        if words and words != self._conflict_told:
            log.warning("%s", words)
        self._conflict_told = words

    def as_dicts(self) -> list[dict[str, Any]]:
        """This start's witnesses as plain types, with words each."""
        return [asdict(one) | {"words": says(one, self.zone)} for one in self._mine]
