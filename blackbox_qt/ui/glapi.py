"""The few OpenGL ES 3.0 calls that the picture needs, by ctypes.

Every function comes from QOpenGLContext.getProcAddress, hence from the very library that Qt uses. PyOpenGL is not
used: its desktop entry points raise GL_INVALID_ENUM on a GLES context. Numbers and signatures: Khronos' gl.xml.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Final

from PySide6.QtGui import QOpenGLContext

TEXTURE_2D: Final = 0x0DE1
TEXTURE0: Final = 0x84C0
TEXTURE_MAG_FILTER: Final = 0x2800
TEXTURE_MIN_FILTER: Final = 0x2801
TEXTURE_WRAP_S: Final = 0x2802
TEXTURE_WRAP_T: Final = 0x2803
LINEAR: Final = 0x2601
CLAMP_TO_EDGE: Final = 0x812F
RED: Final = 0x1903
RG: Final = 0x8227
R8: Final = 0x8229
RG8: Final = 0x822B
UNSIGNED_BYTE: Final = 0x1401
UNPACK_ALIGNMENT: Final = 0x0CF5
UNPACK_ROW_LENGTH: Final = 0x0CF2
PIXEL_UNPACK_BUFFER: Final = 0x88EC
COLOR_BUFFER_BIT: Final = 0x4000
BLEND: Final = 0x0BE2
CULL_FACE: Final = 0x0B44
DEPTH_TEST: Final = 0x0B71
SCISSOR_TEST: Final = 0x0C11
STENCIL_TEST: Final = 0x0B90
TRIANGLE_STRIP: Final = 0x0005
VENDOR: Final = 0x1F00
RENDERER: Final = 0x1F01
VERSION: Final = 0x1F02

_int, _uint, _float, _pointer = ctypes.c_int, ctypes.c_uint, ctypes.c_float, ctypes.c_void_p

_SIGNATURES: dict[str, tuple[Any, ...]] = {  # result, arguments
    "glGetError": (_uint,),
    "glGetString": (ctypes.c_char_p, _uint),
    "glGenTextures": (None, _int, _pointer),
    "glDeleteTextures": (None, _int, _pointer),
    "glActiveTexture": (None, _uint),
    "glBindTexture": (None, _uint, _uint),
    "glTexParameteri": (None, _uint, _uint, _int),
    "glTexStorage2D": (None, _uint, _int, _uint, _int, _int),
    "glTexSubImage2D": (None, _uint, _int, _int, _int, _int, _int, _uint, _uint, _pointer),
    "glPixelStorei": (None, _uint, _int),
    "glBindBuffer": (None, _uint, _uint),
    "glGenVertexArrays": (None, _int, _pointer),
    "glDeleteVertexArrays": (None, _int, _pointer),
    "glBindVertexArray": (None, _uint),
    "glUseProgram": (None, _uint),
    "glUniform1i": (None, _int, _int),
    "glUniform1f": (None, _int, _float),
    "glUniform3f": (None, _int, _float, _float, _float),
    "glUniform4f": (None, _int, _float, _float, _float, _float),
    "glUniformMatrix3fv": (None, _int, _int, ctypes.c_ubyte, _pointer),
    "glViewport": (None, _int, _int, _int, _int),
    "glScissor": (None, _int, _int, _int, _int),
    "glEnable": (None, _uint),
    "glDisable": (None, _uint),
    "glClearColor": (None, _float, _float, _float, _float),
    "glClear": (None, _uint),
    "glDrawArrays": (None, _uint, _int, _int),
}


class GLError(Exception):
    """OpenGL lacks something or refuses; the text is one sentence for a person."""


class GL:
    """The functions of one context, under their own names.

    All keep the GIL (PYFUNCTYPE): to release it around calls of microseconds lets a busy thread take it for a whole
    switch interval each time (measured: p99 of a paint 0.5 ms with, 10 ms without). A call that may block (glFinish,
    mapping, waiting for a fence) would have to be a CFUNCTYPE; there is none here.

    Threads: the one in which the context is current.
    """

    def __init__(self, context: QOpenGLContext) -> None:
        for name, (result, *arguments) in _SIGNATURES.items():
            address = context.getProcAddress(name.encode())
            if not address:
                raise GLError(f"this OpenGL has no {name}; OpenGL ES 3.0 is needed")
            setattr(self, name, ctypes.PYFUNCTYPE(result, *arguments)(int(address)))

    def __getattr__(self, name: str) -> Any:  # for the type checker: the functions are made at run time
        raise AttributeError(name)

    def forget_errors(self) -> None:
        """What went wrong before is not ours to report: Qt paints in this context too."""
        while self.glGetError():
            pass

    def check(self, doing: str) -> None:
        """Raises GLError when a call since `forget_errors` or the last check went wrong."""
        code = self.glGetError()
        if code:
            raise GLError(f"OpenGL error 0x{code:04x} while {doing}")

    def text(self, what: int) -> str:
        """VENDOR, RENDERER or VERSION."""
        return (self.glGetString(what) or b"").decode("ascii", "replace")

    def new_texture(self) -> int:
        name = _uint()
        self.glGenTextures(1, ctypes.byref(name))
        return name.value

    def delete_textures(self, names: Sequence[int]) -> None:
        if names:
            self.glDeleteTextures(len(names), (_uint * len(names))(*names))

    def new_vertex_array(self) -> int:
        name = _uint()
        self.glGenVertexArrays(1, ctypes.byref(name))
        return name.value

    def delete_vertex_array(self, name: int) -> None:
        self.glDeleteVertexArrays(1, ctypes.byref(_uint(name)))
