"""What was recorded, over the network: trips, segments, and the files themselves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import HTTPException, Path, Query
from pydantic import Field, TypeAdapter
from starlette.responses import Response

from blackbox_qt.app import App
from blackbox_qt.storage.library import Library
from blackbox_qt.storage.library_info import Trip
from blackbox_qt.storage.listing import SegmentEntry, TripEntry, segment_entries, trip_entry
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.web import words
from blackbox_qt.web.errands import BusyError, Errands
from blackbox_qt.web.models import Failure, _Model
from blackbox_qt.web.segment_file import SegmentFile, SegmentResponse

MOST_FILES = 6
"""Sent at the same time."""
_NS_PER_MS = 1_000_000

LibraryName = Literal["recordings", "demo"]
OfLibrary = Annotated[LibraryName | None, Query(description="recordings of real cameras, or demo; the one in use")]
OfCamera = Annotated[str | None, Query(max_length=64, description="a camera's name")]
OfTrip = Annotated[int | None, Query(ge=1, lt=10**9, description="a trip's number, or that of any start in it")]
OfMark = Annotated[str | None, Query(max_length=64, description="a mark's id: what it keeps")]
Since = Annotated[int | None, Query(ge=0, lt=10**14, description="ms since 1970: nothing that ended before")]
Until = Annotated[int | None, Query(ge=0, lt=10**14, description="ms since 1970: nothing that began after")]


class TripsAnswer(_Model):
    """The trips in which there is something that was asked for.

    Threads: immutable, any.
    """

    library: str
    complete: bool = Field(description="false while the box is still reading its files after a start")
    trips: list[TripEntry] = Field(description="the newest first")


class SegmentsAnswer(_Model):
    """Segments, some of those that were asked for.

    Threads: immutable, any.
    """

    library: str
    complete: bool = Field(description="false while the box is still reading its files after a start")
    total: int = Field(description="how many were asked for, without limit and offset")
    segments: list[SegmentEntry] = Field(description="as recorded; a finished one is at /recordings/LIBRARY/NAME.mp4")


_TRIPS, _SEGMENTS = TypeAdapter(TripsAnswer), TypeAdapter(SegmentsAnswer)
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}


class RecordingsApi:
    """The handlers. Errors are raised as HTTPException with one sentence.

    Threads: the web loop's.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._errands = Errands()
        self._files = 0

    def add_to(self, add: Callable[..., None]) -> None:
        video = {"content": {"video/mp4": _BINARY}, "description": "all of it"}
        part = {"content": {"video/mp4": _BINARY}, "description": "what Range asked for"}
        none = {"model": Failure, "description": "Range asks for bytes that it does not have"}
        add("/api/v1/recordings", self.trips, response_model=TripsAnswer)
        add("/api/v1/segments", self.segments, response_model=SegmentsAnswer)
        add("/recordings/{library}/{segment}.mp4", self.file, responses={200: video, 206: part, 416: none},
            response_class=Response)  # fmt: skip

    def close(self) -> None:
        """At the loop's end."""
        self._errands.close()

    async def trips(
        self,
        library: OfLibrary = None,
        camera: OfCamera = None,
        mark: OfMark = None,
        since_ms: Since = None,
        until_ms: Until = None,
    ) -> Response:
        """All trips, or those in which something fits. Their figures count what fits only."""
        name, known = self._library(library)
        asked = partial(_find, known, camera, None, mark, since_ms, until_ms)

        def answer() -> bytes:
            groups: dict[str, list[Any]] = {}
            for segment in asked():
                groups.setdefault(segment.trip_key, []).append(segment)
            trips = [trip_entry(Trip(key, tuple(some))) for key, some in reversed(groups.items())]
            return _TRIPS.dump_json(TripsAnswer(library=name, complete=known.loaded.is_set(), trips=trips))

        return Response(await self._do(answer), media_type="application/json")

    async def segments(
        self,
        library: OfLibrary = None,
        camera: OfCamera = None,
        trip: OfTrip = None,
        mark: OfMark = None,
        since_ms: Since = None,
        until_ms: Until = None,
        limit: Annotated[int, Query(ge=1, le=1000, description="at most so many")] = 200,
        offset: Annotated[int, Query(ge=0, lt=10**9, description="without the first so many")] = 0,
    ) -> Response:
        """Segments that fit, in the order of their recording; what is being written comes when it is finished."""
        name, known = self._library(library)
        asked = partial(_find, known, camera, trip, mark, since_ms, until_ms)

        def answer() -> bytes:
            found = asked()
            page = segment_entries(found)[offset : offset + limit] if offset else segment_entries(found[:limit])
            return _SEGMENTS.dump_json(
                SegmentsAnswer(library=name, complete=known.loaded.is_set(), total=len(found), segments=page)
            )

        return Response(await self._do(answer), media_type="application/json")

    async def file(
        self,
        library: Annotated[LibraryName, Path(description="recordings or demo")],
        segment: Annotated[str, Path(max_length=64, description="a segment's name, as listed")],
    ) -> Response:
        """A finished segment as it is on the card, or a part of it (Range)."""
        _, known = self._library(library)
        name = SegmentName.parse(segment)
        found = known.get(name) if name and name.stem == segment else None
        if found is None or found.state != "finished":
            raise HTTPException(404, words.no_segment(segment))
        if self._files >= MOST_FILES:
            raise HTTPException(503, words.BUSY_FILES)
        try:
            file = await self._do(partial(SegmentFile, known.disk, found.path))
        except FileNotFoundError:
            raise HTTPException(404, words.no_segment(segment)) from None
        except OSError as error:
            raise HTTPException(503, words.unreadable(segment, error.strerror or str(error))) from None
        self._files += 1
        return SegmentResponse(file, self._errands, self._sent)

    def _sent(self) -> None:
        self._files -= 1

    def _library(self, name: LibraryName | None) -> tuple[str, Library]:
        libraries = self._app.libraries
        if name is None:
            current = self._app.library
            return next((key, library) for key, library in libraries.items() if library is current)
        return name, libraries[name]

    async def _do(self, errand: Callable[[], Any]) -> Any:
        try:
            return await self._errands.do(errand)
        except BusyError:
            raise HTTPException(503, words.BUSY_FILES) from None


def _find(
    library: Library, camera: str | None, trip: int | None, mark: str | None, since: int | None, until: int | None
) -> Any:
    return library.segments(
        camera=camera,
        trip=trip,
        mark=mark,
        since_utc_ns=None if since is None else since * _NS_PER_MS,
        until_utc_ns=None if until is None else until * _NS_PER_MS,
    )
