"""Who vouches for a segment: its own signature, or that of a later one that continues it as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from blackbox_qt.storage import signature
from blackbox_qt.storage.report import SegmentReport
from blackbox_qt.storage.signature import Signature

Verdict = Literal["signed", "covered", "unsigned", "other", "wrong", "unchecked"]
"""covered: not itself, but a signed one continues it; other: by a key that is not the trusted one; unchecked: the
Python package cryptography is missing."""


@dataclass(frozen=True, slots=True)
class Vouch:
    """What stands behind one segment.

    Threads: immutable, any.
    """

    verdict: Verdict
    key: bytes = b""  # public, of the signature that was looked at
    when: str = ""  # close | healing
    by: str = ""  # covered: the signed segment's name

    @property
    def good(self) -> bool:
        """The trusted key reaches it."""
        return self.verdict in ("signed", "covered")

    @property
    def bad(self) -> bool:
        """Evidence of change, whatever key is trusted."""
        return self.verdict == "wrong"


@dataclass(frozen=True, slots=True)
class Vouches:
    """Of all the segments that were looked at.

    Threads: immutable, any.
    """

    key: bytes  # the trusted one; empty when nothing is signed
    given: bool  # by whoever checks, and not taken from the files themselves
    of: Mapping[Path, Vouch]
    mixed: tuple[Path, ...] = ()  # signed by another key than others of the same start

    @property
    def unproven(self) -> int:
        """Segments that the trusted key does not reach."""
        return sum(not vouch.good for vouch in self.of.values())


def vouch(chains: Iterable[Sequence[SegmentReport]], given: bytes = b"") -> Vouches:
    """Look at every signature of these chains, each a camera's segments of one start in order.

    given: the public key to trust; without one it is the first that is seen, in the order of starts.
    """
    chains = list(chains)
    own = {report.path: _own(report) for chain in chains for report in chain}
    trusted = given or _first_seen(chains, own)
    found: dict[Path, Vouch] = {}
    mixed: list[Path] = []
    for chain in chains:
        _reach(chain, own, trusted, found)
        keys = {found[report.path].key for report in chain if found[report.path].key}
        mixed += [one.path for one in chain if found[one.path].verdict == "other" and len(keys) > 1]
    return Vouches(trusted, bool(given), found, tuple(mixed))


def _own(report: SegmentReport) -> Vouch:
    """By its own signature alone, whosever key."""
    found = report.signature
    if found is None or report.name is None:
        return Vouch("unsigned")
    right = signature.verifies(found, report.name)
    verdict: Verdict = "unchecked" if right is None else "signed" if right else "wrong"
    return Vouch(verdict, found.key, found.when)


def _first_seen(chains: list[Sequence[SegmentReport]], own: Mapping[Path, Vouch]) -> bytes:
    """The key that signed the earliest segment whose signature is right."""
    signed = [one for chain in chains for one in chain if own[one.path].verdict in ("signed", "unchecked") and one.name]
    first = min(signed, key=lambda one: (one.name.boot, one.name.seq) if one.name else (0, 0), default=None)
    return own[first.path].key if first else b""


def _reach(chain: Sequence[SegmentReport], own: Mapping[Path, Vouch], trusted: bytes, found: dict[Path, Vouch]) -> None:
    """From the last to the first: a signature reaches back over every link that holds."""
    continued: dict[str, tuple[bytes, str]] = {}  # name: the hash that a vouched-for segment names of it, and by whom
    for report in reversed(chain):
        mine = own[report.path]
        if mine.verdict == "signed" and mine.key != trusted:
            mine = Vouch("other", mine.key, mine.when)
        digest, by = continued.get(report.name.stem if report.name else "", (b"", ""))
        if mine.verdict == "unsigned" and by and report.ok and report.digests and digest == report.digests[-1]:
            mine = Vouch("covered", trusted, by=by)
        found[report.path] = mine
        if mine.good and report.name and report.previous and report.state == "finished":
            continued[report.previous.name] = report.previous.digest, mine.by or report.name.stem


def words(one: Vouch, given: bool) -> str:
    """What is to be said under a segment's line."""
    key = f"device key {signature.spelled(signature.fingerprint(one.key))}" if one.key else "a device key"
    healed = ", when it was finished after it had been cut off: it shows no change since then" * (one.when == "healing")
    return {
        "signed": f"signed by {key}{healed}",
        "covered": f"not signed itself; {one.by} continues it as it is, and is signed",
        "unsigned": "not signed",
        "other": f"SIGNED BY ANOTHER KEY: {key}" + (", which is not the one given" if given else ""),
        "wrong": f"THE SIGNATURE IS WRONG: {key} did not sign this",
        "unchecked": f"signed by {key}, not checked: the Python package cryptography is missing",
    }[one.verdict]


def signatures(reports: Iterable[SegmentReport]) -> dict[str, Signature]:
    """Signature records by segment name."""
    return {one.name.stem: one.signature for one in reports if one.name and one.signature}
