"""The device's own key: made at the first start, kept where no card is taken out, used to sign finished segments."""

from __future__ import annotations

import logging
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from blackbox_qt.core.worker import in_words
from blackbox_qt.storage import signature
from blackbox_qt.storage.record import Body
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Dating
from blackbox_qt.storage.signature import When

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

log = logging.getLogger(__name__)

NAME = "device-key"
PUBLIC = "device-key.pub"
_LONGEST = 4096


class DeviceKey:
    """Signs for this device, once `load` has found or made its key. Never raises, never stops a recording.

    A segment that ends before, or whose key cannot be had, stays unsigned; `words` says why.

    Threads: `load` by one thread, may block on the disk and takes some 0.1 s for its import; everything else any.
    """

    def __init__(self, folder: Path) -> None:
        self.public = b""  # 32 bytes, once it is known
        self.words = "the device key is not loaded yet"  # why nothing is signed; "" when it is
        self._folder = folder.expanduser()
        self._sign: Callable[[bytes], bytes] | None = None

    @property
    def fingerprint(self) -> str:
        """64 hex digits; "" while there is no key."""
        return signature.fingerprint(self.public) if self.public else ""

    def load(self) -> None:
        """Find or make the key. What goes wrong is said in the log and in `words`, and can be tried again."""
        if self._sign is not None:
            return
        try:
            key = _kept(self._folder / NAME)
            self._publish(key)
        except ImportError:
            self._fail("the Python package cryptography is missing")
        except (OSError, ValueError) as error:
            self._fail(f"{getattr(error, 'strerror', None) or error}; check storage.state")
        except Exception as error:  # the library's door: whatever it is, recordings go on without a signature
            self._fail(in_words(error))

    def _publish(self, key: Ed25519PrivateKey) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        with suppress(OSError):  # it can be had from every recording too
            _write(self._folder / PUBLIC, signature.pem(public), 0o644)
        self.public, self.words, self._sign = public, "", key.sign
        log.info("recordings are signed with the device key %s", signature.spelled(self.fingerprint))

    def _fail(self, why: str) -> None:
        words = f"recordings are not signed: no device key in {self._folder} ({why})"
        if words != self.words:
            log.warning("%s", words)
        self.words = words

    def sign(self, name: SegmentName, digest: bytes, when: When) -> Body | None:
        """A signature record's body for the end record with this hash; None while there is no key. Some 0.1 ms."""
        if self._sign is None:
            log.debug("%s stays unsigned: %s", name.stem, self.words)
            return None
        try:
            return signature.body(self.public, digest, when, self._sign(signature.message(name, when, digest)))
        except Exception as error:  # the library's door: the segment must end all the same
            self._fail(in_words(error))
            return None

    def sign_date(self, name: SegmentName, date: Dating) -> Dating:
        """The same date with this device's signature; as it is while there is no key."""
        if self._sign is None:
            return date
        try:
            proof = self._sign(signature.date_message(name, date))
        except Exception as error:  # the library's door: an unsigned date is better than none
            self._fail(in_words(error))
            return date
        return replace(date, key=self.public.hex(), signature=proof.hex())


def _kept(place: Path) -> Ed25519PrivateKey:
    """The key in the file, made if there is none; one that others could read, or that is broken, is replaced."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        data, exposed = _read(place)
    except FileNotFoundError:
        return _make(place)
    if exposed:
        log.warning("%s could be read by others, so a new device key was made: what follows is signed anew", place)
    else:
        try:
            return _parse(data)
        except ValueError:
            log.warning("%s holds no device key any more, so a new one was made: what follows is signed anew", place)
    os.rename(place, place.with_name(f"{NAME}.old.{secrets.token_hex(4)}"))  # kept: a person may know better
    return _make(place)


def _read(place: Path) -> tuple[bytes, bool]:
    """Content, and whether others could have read it; a link in its place is an OSError.

    A file system without permissions (FAT) shows all files alike: there the key is as safe as the place is.
    """
    fd = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        data, loose = os.read(fd, _LONGEST), _is_loose(fd)
        if loose:
            with suppress(OSError):  # FAT refuses
                os.fchmod(fd, 0o600)
            loose = not _is_loose(fd)  # it could be changed: so it was open before
        return data, loose
    finally:
        os.close(fd)


def _is_loose(fd: int) -> bool:
    return bool(stat.S_IMODE(os.fstat(fd).st_mode) & 0o077)


def _parse(data: bytes) -> Ed25519PrivateKey:
    """ValueError when it is not an Ed25519 key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(data, None)
    except TypeError as error:  # somebody has put a password on it
        raise ValueError(str(error)) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("a key of another kind")
    return key


def _make(place: Path) -> Ed25519PrivateKey:
    """A new key, in its file, whole or not at all; another program's, if that one was quicker."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = place.with_name(f".{NAME}.{secrets.token_hex(4)}")
    try:
        _write(draft, data, 0o600)
        try:
            os.link(draft, place)  # fails if the name exists, like O_EXCL
        except FileExistsError:
            return _parse(_read(place)[0])
        except PermissionError:  # FAT and some network disks know no hard links
            os.rename(draft, place)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
    _sync(place.parent)
    return key


def _write(path: Path, data: bytes, mode: int) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode), "wb") as file:
        with suppress(PermissionError):  # FAT
            os.fchmod(file.fileno(), mode)  # whatever the umask
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
