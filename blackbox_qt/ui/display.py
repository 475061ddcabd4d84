"""Whether a window can open at all, asked before Qt is: Qt answers a missing display or library with abort()."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from PySide6.QtCore import QLibraryInfo
from PySide6.QtGui import QOffscreenSurface, QOpenGLContext, QSurfaceFormat

from blackbox_qt.ui import WindowError


@contextmanager
def display() -> Iterator[None]:
    """Around QApplication: the display answers, and the GL that the window needs is chosen. Raises WindowError.

    Threads: the main one.
    """
    platform = _platform()
    _check_plugin(platform)
    # Qt takes GLX under X11 even for OpenGL ES; camera buffers can become textures on EGL only.
    os.environ.setdefault("QT_XCB_GL_INTEGRATION", "xcb_egl")
    # Qt's threads for painting large areas would outlive the window by 30 s, and it paints only small ones.
    os.environ.setdefault("QT_NO_GUI_THREADPOOL", "1")
    QSurfaceFormat.setDefaultFormat(surface_format())
    with ExitStack() as stack:
        if platform == "xcb":
            stack.enter_context(_x11())
        elif platform == "wayland":
            _check_wayland()
        yield


def surface_format() -> QSurfaceFormat:
    """OpenGL ES 3.0, which the Pi has and every Mesa; no depth, no stencil: pictures are flat."""
    wanted = QSurfaceFormat()
    wanted.setRenderableType(QSurfaceFormat.RenderableType.OpenGLES)
    wanted.setVersion(3, 0)
    wanted.setDepthBufferSize(0)
    wanted.setStencilBufferSize(0)
    wanted.setSwapInterval(1)
    return wanted


def check_gl() -> None:
    """Raises WindowError where there is no OpenGL ES 3.0. After QApplication."""
    surface = QOffscreenSurface()
    surface.setFormat(surface_format())
    surface.create()
    context = QOpenGLContext()
    context.setFormat(surface_format())
    if not context.create() or not context.makeCurrent(surface):
        raise WindowError("the window cannot open: this display has no OpenGL ES 3.0")
    context.doneCurrent()
    surface.destroy()


def _platform() -> str:
    """The Qt platform plugin's name, "xcb" or "wayland" mostly."""
    chosen = os.environ.get("QT_QPA_PLATFORM", "")
    if not chosen and not os.environ.get("DISPLAY") and os.environ.get("WAYLAND_DISPLAY"):
        chosen = os.environ["QT_QPA_PLATFORM"] = "wayland"  # a bare compositor does not set XDG_SESSION_TYPE
    if not chosen and os.environ.get("XDG_SESSION_TYPE") == "wayland" and os.environ.get("WAYLAND_DISPLAY"):
        return "wayland"
    return (chosen or "xcb").partition(";")[0].partition(":")[0]


def _check_plugin(platform: str) -> None:
    """Name the library that is missing; Qt itself names xcb-cursor whichever it is."""
    plugin = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath), "platforms", f"libq{platform}.so")
    if not plugin.exists():
        return  # some are called otherwise; Qt knows where to look
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        raise WindowError(f"the window cannot open: a system library is missing ({error})") from None


@contextmanager
def _x11() -> Iterator[None]:
    """A connection of our own, kept while Qt has its: a server may start anew when its only client leaves."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError as error:
        raise WindowError(f"the window cannot open: a system library is missing ({error})") from None
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    try:
        if xcb.xcb_connection_has_error(connection):
            name = os.environ.get("DISPLAY", "")
            raise WindowError(f"the window cannot open: the display {name!r} does not answer")
        yield
    finally:
        xcb.xcb_disconnect(connection)


def _check_wayland() -> None:
    name = os.environ.get("WAYLAND_DISPLAY", "wayland-0")
    path = Path(os.environ.get("XDG_RUNTIME_DIR", "/"), name)
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError as error:
            raise WindowError(
                f"the window cannot open: the display {path} does not answer ({error.strerror})"
            ) from None
