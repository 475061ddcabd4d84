"""The incident bundle: untouched segments, viewing copies, check sums, signatures and a report, in one folder.

Below the faces: window, page and command line make bundles in the same way, with a progress of their own.
"""

from blackbox_qt.bundle.bundle import Bundle, BundleError, CancelledError, Request, make_bundle
from blackbox_qt.bundle.choose import by_mark, by_time, by_trip
from blackbox_qt.bundle.progress import Progress

__all__ = [
    "Bundle",
    "BundleError",
    "CancelledError",
    "Progress",
    "Request",
    "by_mark",
    "by_time",
    "by_trip",
    "make_bundle",
]
