"""The hotspot's name and password: made by chance, once, and kept in a file only its owner can read.

The package makes them when it is installed (`python3 -m blackbox_qt.hotspot`), a checkout at the first use.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import stat
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path

log = logging.getLogger(__name__)

FILE = "hotspot.json"
_LETTERS = (
    "23456789abcdefghjkmnpqrstvwxyz"  # nothing that looks like another sign; somebody types it on a phone, in a car
)


class IdentityError(Exception):
    """It can be neither read nor made; one sentence."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Threads: immutable, any."""

    name: str
    password: str = field(repr=False)
    uuid: str  # of NetworkManager's profile


def load_identity(folder: Path) -> Identity:
    """The one in `folder`, made if there is none yet or if others could have read it. Raises IdentityError.

    Threads: any, one at a time.
    """
    place = folder.expanduser() / FILE
    try:
        return _kept(place)
    except OSError as error:
        why = error.strerror or str(error)
        raise IdentityError(f"{place}: the hotspot's password cannot be kept there ({why}); use sudo?") from error


def made(old: Identity | None = None) -> Identity:
    """A new password, 78 bits; name and profile of the `old` one if there is one.

    Threads: any.
    """
    password = "-".join(_letters(4) for _ in range(4))
    if old is not None:
        return Identity(old.name, password, old.uuid)
    return Identity(f"Blackbox-{_letters(4).upper()}", password, str(uuid.uuid4()))


def _letters(count: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(count))


def _kept(place: Path) -> Identity:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        identity, private = _read(place)
    except FileNotFoundError:
        return _write(place, made())
    if identity is None:
        log.warning("%s holds no hotspot any more, so a new one was made: every phone joins again", place)
        return _write(place, made())
    if not private:
        log.warning("%s could be read by others, so a new password was made: every phone joins again", place)
        return _write(place, made(identity))
    return identity


def _read(place: Path) -> tuple[Identity | None, bool]:
    """What the file holds, None for nonsense, and whether only its owner could read it; a link is an OSError."""
    with open(os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        private = not stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
        try:
            fields = json.loads(file.read(4096))
            identity = Identity(str(fields["name"]), str(fields["password"]), str(uuid.UUID(fields["uuid"])))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None, private
    whole = 0 < len(identity.name.encode()) <= 32 and 8 <= len(identity.password) <= 63
    return identity if whole else None, private


def _write(place: Path, identity: Identity) -> Identity:
    """Whole or not at all, and never readable by others, not even for a moment."""
    draft = place.with_name(f".{FILE}.{secrets.token_hex(4)}")
    owner = place.parent.stat()
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
        if os.geteuid() == 0:  # with sudo: the folder's owner, the recorder, is to read it too
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        json.dump(asdict(identity), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(place)
    return identity
