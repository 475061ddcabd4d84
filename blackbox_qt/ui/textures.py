"""One camera's planes as textures, filled by upload. A path that imports dma-bufs will stand beside this one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from blackbox_qt.core.frame import Image
from blackbox_qt.core.layout import Layout
from blackbox_qt.ui import glapi
from blackbox_qt.ui.glapi import GL

SHOWN = ("YU12", "NV12")
"""Formats whose planes the shader samples."""


class UnshownFormatError(Exception):
    """The window has no way to show this pixel format; the text is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A plane's texture: the GL names of its storage and of what is handed over, size in texels, bytes per texel.

    Threads: immutable, any.
    """

    storage: int
    transfer: int
    width: int
    height: int
    texel: int


class PlaneTextures:
    """R8 and RG8 textures of one stream; their storage is made anew when its size or format changes.

    Upload copies: GL has read the planes when glTexSubImage2D returns (OpenGL ES 3.0, 2.8), so the frame may be closed
    at once and the last picture stays on screen without holding a camera's buffer.

    Threads: the GUI's, with the context current.
    """

    path = "upload"

    def __init__(self, gl: GL) -> None:
        self.layout: Layout | None = None  # of the picture in the textures
        self._gl = gl
        self._kinds: tuple[_Kind, ...] = ()
        self._names: tuple[int, ...] = ()

    def upload(self, image: Image) -> None:
        """Copy a picture's planes to the GPU. Raises UnshownFormatError, GLError, FrameClosedError."""
        kinds = _kinds(image.layout)
        if kinds != self._kinds:
            self.delete()
            self._names = tuple(self._storage(kind) for kind in kinds)
            self._kinds = kinds
        gl = self._gl
        gl.glBindBuffer(glapi.PIXEL_UNPACK_BUFFER, 0)
        gl.glPixelStorei(glapi.UNPACK_ALIGNMENT, 1)
        for index, (name, kind) in enumerate(zip(self._names, kinds, strict=True)):
            plane = image.plane(index)
            if plane.strides[0] % kind.texel:  # GL counts a row's length in texels
                plane = np.ascontiguousarray(plane)
            gl.glBindTexture(glapi.TEXTURE_2D, name)
            gl.glPixelStorei(glapi.UNPACK_ROW_LENGTH, plane.strides[0] // kind.texel)
            size = kind.width, kind.height
            gl.glTexSubImage2D(glapi.TEXTURE_2D, 0, 0, 0, *size, kind.transfer, glapi.UNSIGNED_BYTE, plane.ctypes.data)
        gl.glPixelStorei(glapi.UNPACK_ROW_LENGTH, 0)
        gl.glPixelStorei(glapi.UNPACK_ALIGNMENT, 4)  # Qt's own painting counts on the default
        self.layout = image.layout

    def bind(self) -> None:
        """Planes to texture units 0, 1, 2, in the order of the format table."""
        for unit, name in enumerate(self._names):
            self._gl.glActiveTexture(glapi.TEXTURE0 + unit)
            self._gl.glBindTexture(glapi.TEXTURE_2D, name)
        self._gl.glActiveTexture(glapi.TEXTURE0)

    def delete(self) -> None:
        """Give the textures back. Twice is harmless."""
        self._gl.delete_textures(self._names)
        self._names, self._kinds, self.layout = (), (), None

    def _storage(self, kind: _Kind) -> int:
        gl = self._gl
        gl.forget_errors()
        name = gl.new_texture()
        gl.glBindTexture(glapi.TEXTURE_2D, name)
        for setting, value in (
            (glapi.TEXTURE_MIN_FILTER, glapi.LINEAR),
            (glapi.TEXTURE_MAG_FILTER, glapi.LINEAR),
            (glapi.TEXTURE_WRAP_S, glapi.CLAMP_TO_EDGE),
            (glapi.TEXTURE_WRAP_T, glapi.CLAMP_TO_EDGE),
        ):
            gl.glTexParameteri(glapi.TEXTURE_2D, setting, value)
        gl.glTexStorage2D(glapi.TEXTURE_2D, 1, kind.storage, kind.width, kind.height)
        gl.check(f"making room for {kind.width}x{kind.height} pixels")
        return name


def _kinds(layout: Layout) -> tuple[_Kind, ...]:
    if layout.fourcc not in SHOWN:
        raise UnshownFormatError(f"the window cannot show {layout.fourcc} pictures; it can show {' and '.join(SHOWN)}")
    kinds = []
    for plane, (_, _, texel) in zip(layout.planes, layout.format.planes, strict=True):
        storage, transfer = (glapi.R8, glapi.RED) if texel == 1 else (glapi.RG8, glapi.RG)
        kinds.append(_Kind(storage, transfer, plane.width // texel, plane.rows, texel))
    return tuple(kinds)
