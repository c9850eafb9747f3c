"""Secrets as bytes that only this installation can open, and only where they belong.

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits. What a secret belongs to is
authenticated with it: a row that is copied to another tenant, connection or field does not open.
Keys are the operator's. The first of them seals and all of them open, so a new one is put in
front, everything is sealed again, and the old one is taken away, while the service runs.
"""

import os
import secrets
import tempfile
from base64 import b64encode, urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NewType, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from storage.errors import SealBroken, SecretKeyMissing, SetupError

KEY_BYTES = 32
NONCE_BYTES = 12
KeyId = NewType("KeyId", str)


@dataclass(frozen=True, slots=True)
class Sealed:
    body: bytes
    key_id: KeyId


@dataclass(frozen=True, slots=True)
class Belongs:
    """What a secret is of. Opening it as anything else fails."""

    tenant: object
    subject: object
    field: str

    def bound(self, key_id: KeyId) -> bytes:
        return f"{self.tenant}|{self.subject}|{self.field}|{key_id}".encode()


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys by their ids, the sealing one first."""

    keys: Mapping[KeyId, bytes] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Keys as base64, separated by commas or lines. Raises ``SecretKeyMissing``."""
        given = [part for part in text.replace("\n", ",").split(",") if part.strip()]
        keys = [_key(part.strip(), number) for number, part in enumerate(given, 1)]
        if not keys:
            raise SecretKeyMissing("There is no key to seal credentials with.")
        return cls({_id(key): key for key in keys})

    @classmethod
    def kept_in(cls, path: Path) -> Self:
        """The keys in this file, made on first use and readable by this user alone."""
        try:
            _make(path)
            open_to_others = path.stat().st_mode & 0o077
            text = path.read_text()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SecretKeyMissing(f"The key file {path} cannot be used: {reason}.") from error
        if open_to_others:
            raise SetupError(
                f"Other users of this machine can reach the key file {path}.",
                action=f"Run `chmod 600 {path}`; if they may have read it, rotate the keys.",
            )
        return cls.parse(text)

    @property
    def sealing(self) -> KeyId:
        return next(iter(self.keys))

    def seal(self, secret: bytes, belongs: Belongs) -> Sealed:
        key_id, nonce = self.sealing, secrets.token_bytes(NONCE_BYTES)
        sealed = AESGCM(self.keys[key_id]).encrypt(nonce, secret, belongs.bound(key_id))
        return Sealed(nonce + sealed, key_id)

    def open(self, sealed: Sealed, belongs: Belongs) -> bytes:
        """Raises ``SecretKeyMissing`` or ``SealBroken``."""
        key = self.keys.get(sealed.key_id)
        if key is None:
            raise SecretKeyMissing(
                f"A credential was sealed with the key {sealed.key_id}, which is not among the "
                f"{len(self.keys)} there are."
            )
        nonce, body = sealed.body[:NONCE_BYTES], sealed.body[NONCE_BYTES:]
        try:
            return AESGCM(key).decrypt(nonce, body, belongs.bound(sealed.key_id))
        except (InvalidTag, ValueError):
            # The cause says nothing more, and a chained one might come to carry bytes of the key.
            raise SealBroken(
                f"The {belongs.field} of {belongs.subject} cannot be opened."
            ) from None


def new_key() -> str:
    """A fresh key, as it is written into settings."""
    return b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _key(text: str, number: int) -> bytes:
    try:
        key = urlsafe_b64decode(text.replace("+", "-").replace("/", "_"))
    except (NotBase64, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SecretKeyMissing(f"Key number {number} of HEADWATER_SECRET_KEYS is no key.")
    return key


def _id(key: bytes) -> KeyId:
    """Names a key without telling it, so that nobody has to make names up."""
    return KeyId(sha256(b"headwater key id\0" + key).hexdigest()[:8])


def _make(path: Path) -> None:
    """Write a first key. Processes that race agree on one, and it is private from the start."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(f"{new_key()}\n")
    try:
        path.hardlink_to(name)
    except FileExistsError:
        pass  # another process was first: its key is the key
    finally:
        Path(name).unlink()
