"""What programs and the page can ask: status, recording, session, health, streams and stills."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Path, Query
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter
from starlette.responses import Response

from blackbox_qt.app import App
from blackbox_qt.app.camera import Camera
from blackbox_qt.web import words
from blackbox_qt.web.access import Access
from blackbox_qt.web.card import CardApi
from blackbox_qt.web.erase import EraseApi
from blackbox_qt.web.marks import MarksApi
from blackbox_qt.web.mjpeg import CONTENT_TYPE, Broadcast, MjpegResponse
from blackbox_qt.web.models import (
    Failure,
    Health,
    RecordingRequest,
    RecordingWish,
    Session,
    SessionRequest,
    StatusAnswer,
    answer,
)
from blackbox_qt.web.recordings import RecordingsApi
from blackbox_qt.web.stills import NoPicture, Stills
from blackbox_qt.web.times import TimesApi

_STATUS = TypeAdapter(StatusAnswer)
Answers = dict[int | str, dict[str, Any]]
_BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_STREAM: Answers = {200: {"content": {CONTENT_TYPE: _BINARY}, "description": "until one side ends"}}
_STILL: Answers = {200: {"content": {"image/jpeg": _BINARY}, "description": "full size"}}

CameraName = Annotated[str, Path(description="a camera's name, e.g. front", max_length=64)]
Quality = Annotated[int, Query(ge=1, le=100, description="JPEG quality")]


class Api:
    """The handlers. Errors are raised as HTTPException with one sentence.

    Threads: the web loop's.
    """

    def __init__(self, app: App, access: Access | None, broadcasts: Mapping[str, Broadcast], stills: Stills) -> None:
        self._app = app
        self._access = access
        self._broadcasts = broadcasts
        self._stills = stills
        self._recordings = RecordingsApi(app)

    def add_to(self, site: FastAPI) -> None:
        """All routes; who may use them is in rules.RULES."""

        def add(path: str, handler: Callable[..., Any], *, method: str = "GET", **more: Any) -> None:
            more["responses"] = {"default": {"model": Failure}, **more.get("responses", {})}
            site.add_api_route(path, handler, methods=[method], **more)

        unwell: Answers = {503: {"model": Health, "description": "not recording"}}
        add("/healthz", self.health, response_model=Health, responses=unwell)
        add("/api/v1/session", self.sign_in, method="POST", response_model=Session)
        add("/api/v1/session", self.sign_out, method="DELETE", response_model=Session)
        add("/api/v1/status", self.status, response_model=StatusAnswer)
        add("/api/v1/recording", self.record, method="POST", response_model=RecordingWish)
        self._recordings.add_to(add)
        MarksApi(self._app).add_to(add)
        CardApi(self._app).add_to(add)
        EraseApi(self._app).add_to(add)
        TimesApi(self._app).add_to(add)
        add("/video_feed", self.first_stream, responses=_STREAM, response_class=Response)
        add("/stream/{camera}.mjpg", self.stream, responses=_STREAM, response_class=Response)
        add("/snapshot/{camera}.jpg", self.still, responses=_STILL, response_class=Response)

    def close(self) -> None:
        """At the loop's end."""
        self._recordings.close()

    async def health(self) -> Response:
        """200 while recording is true, else 503. Says no more than that."""
        recording = self._app.status().recording == "recording"
        return JSONResponse({"recording": recording}, 200 if recording else 503)

    async def sign_in(self, asked: SessionRequest) -> Response:
        """The access key for a cookie."""
        if self._access is None:
            return JSONResponse({"signed_in": True})
        if not self._access.knows(asked.key):
            raise HTTPException(401, words.WRONG_KEY)
        return JSONResponse({"signed_in": True}, headers={"set-cookie": self._access.set_cookie()})

    async def sign_out(self) -> Response:
        """Make this browser forget. A new key (delete the file access-key and restart) signs out everybody."""
        headers = {} if self._access is None else {"set-cookie": self._access.drop_cookie()}
        return JSONResponse({"signed_in": False}, headers=headers)

    async def status(self) -> Response:
        """How the box is: the same snapshot that the window and the log show."""
        return Response(_STATUS.dump_json(answer(self._app.status())), media_type="application/json")

    async def record(self, asked: RecordingRequest) -> RecordingWish:
        """Stop recording for a time that ends by itself, or start it again now; all cameras."""
        if asked.recording:
            self._app.resume()
            return RecordingWish(recording=True, resumes_in_s=None)
        minutes = self._app.config.web.pause_minutes if asked.minutes is None else asked.minutes
        self._app.pause(minutes * 60)
        return RecordingWish(recording=False, resumes_in_s=minutes * 60)

    async def first_stream(self) -> Response:
        """The first camera, live (MJPEG)."""
        return MjpegResponse(next(iter(self._broadcasts.values())))

    async def stream(self, camera: CameraName) -> Response:
        """One camera, live (MJPEG): the newest frame whenever the reader has room for one."""
        self._camera(camera)
        return MjpegResponse(self._broadcasts[camera])

    async def still(self, camera: CameraName, quality: Quality = 90) -> Response:
        """The next frame in full size (JPEG), within 2 s."""
        try:
            data = await self._stills.take(self._camera(camera), quality)
        except NoPicture as error:
            raise HTTPException(503, str(error)) from None
        return Response(data, media_type="image/jpeg")

    def _camera(self, name: str) -> Camera:
        camera = self._app.cameras.get(name)
        if camera is None:
            raise HTTPException(404, words.no_camera(name, list(self._app.cameras)))
        return camera
