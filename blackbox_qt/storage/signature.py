"""What a device says under a finished segment: the signature record, made, read and verified. See docs/FORMAT.md.

The signature is Ed25519 (RFC 8032), the public key is kept in the form of RFC 8410, so that openssl reads it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from blackbox_qt.storage.record import Body
from blackbox_qt.storage.segment import SegmentName
from blackbox_qt.storage.sidecar import Dating

When = Literal["close", "healing"]
Sign = Callable[[SegmentName, bytes, When], Body | None]
"""A signature record's body, without its anchor, for the end record with this hash; None: it stays unsigned."""
ALGORITHM = "Ed25519"
_DOMAIN = "Blackbox Qt segment signature, version 1"
_DATE_DOMAIN = "Blackbox Qt date signature, version 1"
_PUBLIC_PREFIX = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: SubjectPublicKeyInfo, then the 32 bytes
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----")


class KeyFileError(Exception):
    """A file that should hold a public key does not; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature record as it stands in a file; whether it is right is another question.

    Threads: immutable, any.
    """

    key: bytes  # public, 32 bytes
    digest: bytes  # of the end record that is signed
    when: str  # close: by the program that recorded it; healing: by the one that finished it after a power cut
    signature: bytes  # 64 bytes


def unsigned(name: SegmentName, digest: bytes, when: When) -> None:
    """A Sign without a key."""


def message(name: SegmentName, when: str, digest: bytes) -> bytes:
    """The bytes that are signed: six lines of text, so that no other message of anybody can be taken for it."""
    lines = (_DOMAIN, name.camera, str(name.boot), str(name.seq), when, digest.hex())
    return "".join(line + "\n" for line in lines).encode("ascii")


def body(key: bytes, digest: bytes, when: When, signature: bytes) -> Body:
    """The record's body, without its anchor."""
    return {
        "type": "signature",
        "algorithm": ALGORITHM,
        "when": when,
        "end": digest.hex(),
        "key": key.hex(),
        "fingerprint": fingerprint(key),
        "signature": signature.hex(),
    }


def read(found: Body) -> Signature:
    """ValueError with words when it is no signature record of this version."""
    texts = [found.get(name) for name in ("key", "end", "signature", "when")]
    if found.get("type") != "signature" or not all(isinstance(text, str) for text in texts):
        raise ValueError("a signature record is not one")
    if found.get("algorithm") != ALGORITHM:
        raise ValueError(f"a signature of another kind than {ALGORITHM}: made by another version")
    key, digest, signature = (bytes.fromhex(str(text)) for text in texts[:3])
    if (len(key), len(digest), len(signature)) != (32, 32, 64):
        raise ValueError("a signature record has numbers of another length")
    return Signature(key, digest, str(texts[3])[:16], signature)


def date_message(name: SegmentName, date: Dating) -> bytes:
    """The bytes that are signed of a date that was learnt later: two lines, the second one JSON."""
    said = [name.stem, date.boot_ns, date.utc_ns, date.source, date.uncertainty_ns, date.by]
    return f"{_DATE_DOMAIN}\n{json.dumps(said, separators=(',', ':'))}\n".encode("ascii")


def verifies(found: Signature, name: SegmentName) -> bool | None:
    """Whether this key signed this segment; None when the Python package `cryptography` is not installed."""
    return is_signed(found.key, found.signature, message(name, found.when, found.digest))


def date_verifies(date: Dating, name: SegmentName) -> bool | None:
    """Whether the key it names signed this date of this segment; None as above."""
    try:
        key, signature = bytes.fromhex(date.key), bytes.fromhex(date.signature)
    except ValueError:
        return False
    return is_signed(key, signature, date_message(name, date))


def is_signed(key: bytes, signature: bytes, text: bytes) -> bool | None:
    """None when the Python package `cryptography` is not installed; it is imported with the first call."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(key: bytes) -> str:
    """SHA-256 of the public key as `openssl pkey -pubin -outform DER` writes it, 64 hex digits."""
    return hashlib.sha256(_PUBLIC_PREFIX + key).hexdigest()


def spelled(print_: str) -> str:
    """The first 64 bits of a fingerprint in groups of four, for reading it off a screen."""
    return "-".join(print_[i : i + 4] for i in range(0, 16, 4))


def pem(key: bytes) -> bytes:
    """A public key as openssl reads it."""
    text = base64.b64encode(_PUBLIC_PREFIX + key)
    return b"-----BEGIN PUBLIC KEY-----\n" + text + b"\n-----END PUBLIC KEY-----\n"


def parse_public_key(data: bytes) -> bytes:
    """The 32 bytes of a public key: a PEM file, or 64 hex digits. KeyFileError with words."""
    found = _PEM.search(data)
    try:
        der = base64.b64decode(b"".join(found[1].split()), validate=True) if found else _PUBLIC_PREFIX + _hex(data)
    except (binascii.Error, ValueError):
        der = b""
    if len(der) != len(_PUBLIC_PREFIX) + 32 or not der.startswith(_PUBLIC_PREFIX):
        raise KeyFileError("holds no Ed25519 public key; give the device's device-key.pub or a bundle's device-key.pem")
    return der[len(_PUBLIC_PREFIX) :]


def _hex(data: bytes) -> bytes:
    return bytes.fromhex(data.decode("ascii", "replace").strip())
