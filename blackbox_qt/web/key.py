"""The access key: made at the first start, kept in a file that only the recorder's user can read."""

from __future__ import annotations

import logging
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

NAME = "access-key"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: nothing that looks like another sign
_LENGTH = 26  # 130 bits
_LONGEST = 128
_SPOKEN = str.maketrans({"o": "0", "i": "1", "l": "1", "-": None, " ": None})


def load_key(folder: Path) -> str:
    """The key in `folder`, made if there is none yet.

    Never fails, because the page must not end the recorder: where the folder cannot be used the key lives in memory
    only, where the file could have been read by others the key is replaced; one sentence in the log says so.

    Threads: any, one at a time.
    """
    place = folder.expanduser() / NAME
    try:
        return _kept(place)
    except OSError as error:
        log.warning(
            "the access key cannot be kept in %s (%s): it holds until the program ends; check storage.state",
            place.parent, error.strerror or error,
        )  # fmt: skip
        return new_key()


def read_key(folder: Path) -> str:
    """The key in `folder`, for whoever asks the recorder; makes none. Raises OSError, and ValueError for no key.

    Threads: any.
    """
    key, _ = _read(folder.expanduser() / NAME)
    if not _sound(key):
        raise ValueError("it holds no access key")
    return key


def new_key() -> str:
    """130 random bits as 26 small letters and digits.

    Threads: any.
    """
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def normal(typed: str) -> str:
    """A key as typed by a person (capitals, spaces, dashes, o for 0, l for 1) in the form it is kept in.

    Threads: any.
    """
    return typed.strip().lower().translate(_SPOKEN)


def spelled(key: str) -> str:
    """The key in groups, for reading it off a screen.

    Threads: any.
    """
    return "-".join(key[i : i + 5] for i in range(0, len(key), 5))


def _kept(place: Path) -> str:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        key, mode = _read(place)
    except FileNotFoundError:
        return _make(place)
    if mode & 0o077:
        log.warning("%s could be read by others, so a new access key was made: every phone signs in again", place)
    elif not _sound(key):
        log.warning("%s holds no access key any more, so a new one was made: every phone signs in again", place)
    else:
        return key
    place.unlink()
    return _make(place)


def _read(place: Path) -> tuple[str, int]:
    """Content and mode of the same file; a link in its place is an OSError."""
    with open(os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        return file.read(_LONGEST + 1).decode("ascii", "replace").strip(), stat.S_IMODE(os.fstat(file.fileno()).st_mode)


def _sound(key: str) -> bool:
    return len(key) == _LENGTH and all(sign in _ALPHABET for sign in key)


def _make(place: Path) -> str:
    """Write a new key so that the file is there whole or not at all; another program's, if it was quicker."""
    key = new_key()
    draft = place.with_name(f".{NAME}.{secrets.token_hex(4)}")
    try:
        _write(draft, key)
        try:
            os.link(draft, place)  # fails if the name exists, like O_EXCL
        except FileExistsError:
            return _read(place)[0]
        except PermissionError:  # FAT and some network disks know no hard links
            os.rename(draft, place)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
    _sync(place.parent)
    return key


def _write(draft: Path, key: str) -> None:
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)  # whatever the umask
        file.write(key.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
