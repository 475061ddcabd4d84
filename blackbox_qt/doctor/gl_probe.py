"""Asks EGL and OpenGL ES who they are, in a process of its own: a driver that crashes hurts nobody.

`python -m blackbox_qt.doctor.gl_probe wayland|x11|surfaceless` prints one JSON object. Only ctypes, no Qt.
"""

from __future__ import annotations

import ctypes
import json
import sys
from typing import Any

PLATFORMS = {"wayland": 0x31D8, "x11": 0x31D5, "surfaceless": 0x31DD}  # EGL_PLATFORM_*: EGL_EXT_platform_*, _MESA_
_ES_API, _NONE = 0x30A0, 0x3038
_RENDERABLE, _ES3_BIT = 0x3040, 0x40
_SURFACE_TYPE = 0x3033
_CLIENT_VERSION = 0x3098
_EGL_VENDOR, _EGL_VERSION, _EGL_EXTENSIONS = 0x3053, 0x3054, 0x3055
_GL_RENDERER, _GL_VERSION = 0x1F01, 0x1F02
IMPORT = "EGL_EXT_image_dma_buf_import"


class _Refused(Exception):
    """EGL said no; one sentence."""


def ask(platform: str) -> dict[str, Any]:
    """Vendor, renderer and version, or "error"."""
    try:
        egl, gles = ctypes.CDLL("libEGL.so.1"), ctypes.CDLL("libGLESv2.so.2")
    except OSError as error:
        return {"error": f"a system library is missing ({error})"}
    _declare(egl, gles)
    try:
        display = _display(egl, platform)
        _context(egl, display)
    except _Refused as error:
        return {"error": str(error)}
    extensions = _text(egl.eglQueryString(display, _EGL_EXTENSIONS)).split()
    return {
        "vendor": _text(egl.eglQueryString(display, _EGL_VENDOR)),
        "egl": _text(egl.eglQueryString(display, _EGL_VERSION)),
        "renderer": _text(gles.glGetString(_GL_RENDERER)),
        "version": _text(gles.glGetString(_GL_VERSION)),
        "dmabuf_import": IMPORT in extensions,
    }


def _display(egl: ctypes.CDLL, platform: str) -> ctypes.c_void_p:
    display = ctypes.c_void_p(egl.eglGetPlatformDisplay(PLATFORMS[platform], None, None))
    if not display:
        raise _Refused(f"there is no EGL for {platform}")
    if not egl.eglInitialize(display, None, None):
        raise _Refused(f"EGL does not start on {platform} (0x{egl.eglGetError():x})")
    return display


def _context(egl: ctypes.CDLL, display: ctypes.c_void_p) -> None:
    """An OpenGL ES 3.0 context, current without a surface."""
    egl.eglBindAPI(_ES_API)
    config, count = ctypes.c_void_p(), ctypes.c_int()
    wanted = (ctypes.c_int * 5)(_RENDERABLE, _ES3_BIT, _SURFACE_TYPE, 0, _NONE)
    if not egl.eglChooseConfig(display, wanted, ctypes.byref(config), 1, ctypes.byref(count)) or not count.value:
        raise _Refused("there is no OpenGL ES 3.0")
    version = (ctypes.c_int * 3)(_CLIENT_VERSION, 3, _NONE)
    context = ctypes.c_void_p(egl.eglCreateContext(display, config, None, version))
    if not context or not egl.eglMakeCurrent(display, None, None, context):
        raise _Refused(f"OpenGL ES 3.0 does not start (0x{egl.eglGetError():x})")


def _declare(egl: ctypes.CDLL, gles: ctypes.CDLL) -> None:
    pointer, number = ctypes.c_void_p, ctypes.c_int
    for name, result, arguments in (
        ("eglGetPlatformDisplay", pointer, [ctypes.c_uint, pointer, pointer]),
        ("eglInitialize", ctypes.c_uint, [pointer, pointer, pointer]),
        ("eglBindAPI", ctypes.c_uint, [ctypes.c_uint]),
        ("eglChooseConfig", ctypes.c_uint, [pointer, pointer, pointer, number, pointer]),
        ("eglCreateContext", pointer, [pointer, pointer, pointer, pointer]),
        ("eglMakeCurrent", ctypes.c_uint, [pointer, pointer, pointer, pointer]),
        ("eglQueryString", ctypes.c_char_p, [pointer, number]),
    ):
        function = getattr(egl, name)
        function.restype, function.argtypes = result, arguments
    gles.glGetString.restype, gles.glGetString.argtypes = ctypes.c_char_p, [ctypes.c_uint]


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")


if __name__ == "__main__":
    print(json.dumps(ask(sys.argv[1])))
