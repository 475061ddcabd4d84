"""The shader that turns planes into colours on the screen, and the numbers it is fed with."""

from __future__ import annotations

import ctypes
from functools import lru_cache

import numpy as np
from PySide6.QtOpenGL import QOpenGLShader, QOpenGLShaderProgram

from blackbox_qt.core import resources
from blackbox_qt.core.colour import yuv_to_rgb
from blackbox_qt.core.layout import Layout
from blackbox_qt.ui import glapi
from blackbox_qt.ui.geometry import Box
from blackbox_qt.ui.glapi import GL, GLError
from blackbox_qt.ui.textures import PlaneTextures

_SAMPLERS = ("luma", "chroma", "chroma2")
_UNIFORMS = ("place", "mirrored", "interleaved", "matrix", "offset", "siting", "light", *_SAMPLERS)


class PictureProgram:
    """Compiled for one context. Raises GLError when the driver refuses the shaders.

    Threads: the GUI's, with the context current.
    """

    def __init__(self, gl: GL) -> None:
        self._gl = gl
        self._program = _linked()
        number = self._number = self._program.programId()
        self._at = {name: self._program.uniformLocation(name) for name in _UNIFORMS}
        self._array = gl.new_vertex_array()
        gl.glUseProgram(number)
        for unit, name in enumerate(_SAMPLERS):
            gl.glUniform1i(self._at[name], unit)
        gl.glUseProgram(0)

    def draw(
        self, planes: PlaneTextures, box: Box, canvas: tuple[int, int], *, mirrored: bool = False, light: float = 1.0
    ) -> None:
        """Draw a picture into `box` of a canvas of (width, height), all in device pixels with y downwards."""
        layout = planes.layout
        assert layout is not None, "nothing was uploaded yet"
        gl, at = self._gl, self._at
        gl.glBindVertexArray(self._array)
        gl.glUseProgram(self._number)
        planes.bind()
        width, height = canvas
        gl.glUniform4f(
            at["place"],
            2 * box.x / width - 1,
            1 - 2 * (box.y + box.height) / height,
            2 * (box.x + box.width) / width - 1,
            1 - 2 * box.y / height,
        )
        gl.glUniform1f(at["mirrored"], float(mirrored))
        gl.glUniform1f(at["light"], light)
        gl.glUniform1i(at["interleaved"], layout.fourcc == "NV12")
        matrix, offset = _colour(layout.matrix, layout.full_range)
        gl.glUniformMatrix3fv(at["matrix"], 1, 0, ctypes.addressof(matrix))
        gl.glUniform3f(at["offset"], *offset)
        gl.glUniform4f(at["siting"], *siting(layout))
        gl.glDrawArrays(glapi.TRIANGLE_STRIP, 0, 4)
        gl.glUseProgram(0)  # Qt's own painting expects none of ours
        gl.glBindVertexArray(0)

    def delete(self) -> None:
        """Give the GL objects back. Twice is harmless."""
        if self._array:
            self._gl.delete_vertex_array(self._array)
            self._program.removeAllShaders()
            self._array = 0


def siting(layout: Layout) -> tuple[float, float, float, float]:
    """(sx, sy, dx, dy): where in a chroma texture the colour of luma position (x, y) lies, (x·sx + dx, y·sy + dy).

    4:2:0 as MPEG-2, H.264 and cameras have it: across, a chroma sample sits on the left luma sample of its pair, so
    half a luma pixel left of the pair's middle; down, it sits between the two rows. Source: ITU-T H.264, 6.2.
    """
    chroma_width = -(-layout.width // 2)
    chroma_height = -(-layout.height // 2)
    return layout.width / (2 * chroma_width), layout.height / (2 * chroma_height), 0.5 / (2 * chroma_width), 0.0


@lru_cache(maxsize=8)
def _colour(matrix: str, full_range: bool) -> tuple[ctypes.Array[ctypes.c_float], tuple[float, float, float]]:
    """The matrix column by column, as GLES wants it, and the offset."""
    m, offset = yuv_to_rgb(matrix, full_range)
    columns = np.ascontiguousarray(m.T, np.float32).ravel().tolist()
    y, cb, cr = offset.tolist()
    return (ctypes.c_float * 9)(*columns), (y, cb, cr)


def _linked() -> QOpenGLShaderProgram:
    program = QOpenGLShaderProgram()
    for kind, name in (
        (QOpenGLShader.ShaderTypeBit.Vertex, "picture.vert"),
        (QOpenGLShader.ShaderTypeBit.Fragment, "picture.frag"),
    ):
        source = resources.path(f"shaders/{name}").read_text("utf-8")
        if not program.addShaderFromSourceCode(kind, source):
            raise GLError(f"the graphics driver refuses {name}: {program.log().strip()}")
    if not program.link():
        raise GLError(f"the graphics driver cannot link the shaders: {program.log().strip()}")
    return program
