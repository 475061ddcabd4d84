"""Bundles on real small file systems: the sticks that people have."""

from __future__ import annotations

from pathlib import Path

import pytest

from blackbox_qt.bundle import BundleError, make_bundle
from blackbox_qt.storage.disk import Disk
from tests.loopdisk import KINDS, MakeDisk, loop_disk

from .conftest import Place

__all__ = ["loop_disk"]


class Optimist(Disk):
    """Says that there is room for everything."""

    def space(self, path: Path) -> tuple[int, int]:
        return 1 << 40, 1 << 40


@pytest.mark.parametrize("kind", KINDS)
def test_a_stick(place: Place, loop_disk: MakeDisk, kind: str) -> None:
    stick = loop_disk(kind, 96)
    made = make_bundle(place.request(out=stick.point / "incident"))
    assert made.facts.verdict == "good" and len(made.files) == 39
    for path in (made.path / "originals").glob("*.mp4"):
        (source,) = place.data.rglob(path.name)
        assert path.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", [20_000, 600_000, 1_400_000])
def test_a_stick_that_becomes_full_is_as_it_was(place: Place, loop_disk: MakeDisk, kind: str, left: int) -> None:
    """While originals are copied, while pictures are encoded, while the report is written."""
    stick = loop_disk(kind, 48)
    stick.fill(left)
    before = sorted(p.name for p in stick.point.iterdir())
    with pytest.raises(BundleError, match=r"^The bundle needs|^Disk full"):
        make_bundle(place.request(out=stick.point / "incident"))
    with pytest.raises(BundleError, match="Disk full"):
        make_bundle(place.request(out=stick.point / "incident", disk=Optimist()))
    assert sorted(p.name for p in stick.point.iterdir()) == before
