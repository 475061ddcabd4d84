"""Where the files lie that are not code: colours, the web page, shaders, icons."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def path(name: str) -> Path:
    """Where the resource ``name`` lies ("tokens.json", "web/live.html").

    In a wheel they lie inside the package, in a checkout beside it. FileNotFoundError names both
    places, because a missing resource is a broken installation and not the user's mistake.
    Threads: any.
    """
    places = [root / "resources" / name for root in (_PACKAGE, _PACKAGE.parent)]
    for place in places:
        if place.exists():
            return place
    looked = " nor ".join(str(place) for place in places)
    raise FileNotFoundError(f"The installation is incomplete: neither {looked} exists.")
