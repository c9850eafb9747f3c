"""Places in a list, signed, so that nobody can make one up or use one on another list."""

import hashlib
import hmac
import os
import secrets
import tempfile
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass, field
from pathlib import Path

from api.problems import Code, Problem

MAC_BYTES = 16
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Cursors:
    """Makes cursors and reads them back. ``listing`` names the list with its filters."""

    key: bytes = field(repr=False)

    def seal(self, listing: str, place: object) -> str:
        text = str(place).encode()
        return urlsafe_b64encode(self._mac(listing, text) + text).rstrip(b"=").decode()

    def open(self, listing: str, cursor: str) -> str:
        try:
            raw = urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        except (NotBase64, ValueError):
            raise _invalid() from None
        mac, text = raw[:MAC_BYTES], raw[MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(listing, text)):
            raise _invalid()
        return text.decode()

    def _mac(self, listing: str, text: bytes) -> bytes:
        message = listing.encode() + b"\0" + text
        return hmac.new(self.key, message, hashlib.sha256).digest()[:MAC_BYTES]


def keep_key(path: Path) -> bytes:
    """The signing key in this file, made on first use. Processes that race agree on one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)  # private from its first moment
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        _publish(Path(name), path)
    return path.read_bytes()


def _publish(made: Path, path: Path) -> None:
    try:
        path.hardlink_to(made)
    except FileExistsError:
        pass  # another process was first: its key is the key
    finally:
        made.unlink()


def _invalid() -> Problem:
    return Problem(
        Code.INVALID_CURSOR, "The cursor was not made by this server for this list and filter."
    )
