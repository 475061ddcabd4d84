"""A few small pictures of a viewing copy, for the report."""

from __future__ import annotations

from av.video.frame import VideoFrame

from blackbox_qt.core.opencv import opencv

_WIDTH = 480  # pixels
_QUALITY = 70


class Stills:
    """Remembers the first picture, the one at the marked moment and the last one.

    Threads: one.
    """

    def __init__(self, moment: tuple[str, int] | None) -> None:
        self._moment = moment  # start of the machine, boot time
        self._taken: list[tuple[str, bytes]] = []
        self._latest: tuple[VideoFrame, str] | None = None
        self._wanted = moment is not None

    def consider(self, frame: VideoFrame, at: tuple[str, int | None], words: str) -> None:
        """Look at the next picture, whose caption says `words`."""
        if not self._taken:
            self._take(frame, f"The first picture: {words}")
        elif self._wanted and self._moment and at[0] == self._moment[0] and (at[1] or 0) >= self._moment[1]:
            self._take(frame, f"When it was marked: {words}")
            self._wanted = False
        self._latest = frame, words

    def end(self) -> None:
        """There are no more pictures."""
        if self._latest is not None:
            self._take(self._latest[0], f"The last picture: {self._latest[1]}")
            self._latest = None

    def taken(self) -> list[tuple[str, bytes]]:
        """What each shows, and the picture as JPEG."""
        return self._taken

    def _take(self, frame: VideoFrame, words: str) -> None:
        width = min(_WIDTH, frame.width)
        height = max(2, round(frame.height * width / frame.width))
        small = frame.reformat(width=width, height=height, format="bgr24").to_ndarray()
        cv2 = opencv()
        made, jpeg = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if made:
            self._taken.append((words, jpeg.tobytes()))
