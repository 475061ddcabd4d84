"""Stands in for pykms, which has no wheel: Picamera2 imports it for a preview that nobody opens here."""


class _Any:
    def __getattr__(self, name: str) -> str:
        return name


PixelFormat = _Any()
PlaneType = _Any()
