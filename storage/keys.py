"""The keys that programs show to the api: hashed, scoped, expiring, replaced with overlap.

A key is ``hw_<12 characters that name it>_<32 that are secret>_<8 that check the others>``. The
first three letters are for scanners of leaked secrets; the check refuses most slips of a hand, and
most of what is guessed, without asking the database. Of the secret only the SHA-256 is kept: it has
190 random bits, which no dictionary holds, so nothing slower is needed.
"""

import hmac
import re
import secrets
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from string import ascii_letters, digits
from typing import Any

import structlog
from sqlalchemy import Row, insert, or_, select, update

from storage import schema
from storage.clock import now
from storage.database import Database, Tx
from storage.errors import DatabaseUnavailable, SetupError
from storage.ids import KeyId, TenantId, new_id
from storage.scopes import OF_OWNERS, OF_TENANTS, Scope
from storage.tables import keys

FORM = re.compile(r"hw_([0-9A-Za-z]{12})_[0-9A-Za-z]{32}_([0-9a-f]{8})")
ALPHABET = digits + ascii_letters
log = structlog.get_logger()
USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """All that may be shown of a key."""

    id: KeyId
    tenant: TenantId
    name: str
    prefix: str
    scopes: frozenset[Scope]
    owner: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None

    @property
    def unnoted(self) -> bool:
        """Whether its use was not written down lately: once a minute is enough."""
        return self.used_at is None or self.used_at < now() - USED_EVERY

    def is_good(self, moment: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or moment < self.expires_at)


async def make(
    tx: Tx,
    tenant: TenantId,
    *,
    name: str,
    scopes: Collection[Scope] = OF_TENANTS,
    owner: str | None = None,
    expires_at: datetime | None = None,
) -> tuple[Key, str]:
    """A new key, and the secret, which nobody can be told again.

    A key of one ``owner`` has no scope that concerns all of them: ``ValueError``.
    """
    if owner is not None and not OF_OWNERS.issuperset(scopes):
        raise ValueError("a key of one owner cannot have scopes that concern all")
    prefix, secret = _random(12), _random(32)
    text = f"hw_{prefix}_{secret}"
    text = f"{text}_{_check(text)}"
    row = {
        "id": new_id(),
        "tenant_id": tenant,
        "name": name,
        "prefix": prefix,
        "digest": _digest(text),
        "scopes": sorted(scopes),
        "owner": owner,
        "created_at": now(),
        "expires_at": expires_at,
    }
    made = await tx.execute(insert(keys).values(row).returning(keys))
    return _key(made.one()), text


async def find(tx: Tx, text: str) -> Key | None:
    """The key of this secret, of whichever tenant, if it is good now."""
    shape = FORM.fullmatch(text)
    if shape is None or not hmac.compare_digest(shape[2], _check(text.rpartition("_")[0])):
        return None
    row = (await tx.execute(select(keys).where(keys.c.prefix == shape[1]))).one_or_none()
    if row is None or not hmac.compare_digest(row.digest, _digest(text)):
        return None
    key = _key(row)
    return key if key.is_good(now()) else None


async def used(tx: Tx, key: Key) -> None:
    """Remember that it is in use: a key that nobody uses can be revoked."""
    await tx.execute(update(keys).where(keys.c.id == key.id).values(used_at=now()))


async def everything(tx: Tx, *, tenant: TenantId | None = None) -> list[Key]:
    """Of one tenant or all, also what is revoked or over, the newest first."""
    query = select(keys).order_by(keys.c.id.desc())
    if tenant is not None:
        query = query.where(keys.c.tenant_id == tenant)
    return [_key(row) for row in await tx.execute(query)]


async def page(tx: Tx, tenant: TenantId, *, after: KeyId | None = None, limit: int) -> list[Key]:
    """The newest first, also what is revoked or over; ``after`` is the last one seen."""
    query = select(keys).where(keys.c.tenant_id == tenant)
    if after is not None:
        query = query.where(keys.c.id < after)
    return [_key(row) for row in await tx.execute(query.order_by(keys.c.id.desc()).limit(limit))]


async def get(tx: Tx, tenant: TenantId, key: KeyId) -> Key | None:
    mine = keys.c.tenant_id == tenant, keys.c.id == key
    row = (await tx.execute(select(keys).where(*mine))).one_or_none()
    return None if row is None else _key(row)


async def revoke(tx: Tx, prefix: str) -> Key | None:
    """From the commit on it opens nothing, nor does what was given to browsers with it."""
    await tx.execute(
        update(keys)
        .where(keys.c.prefix == prefix, keys.c.revoked_at.is_(None))
        .values(revoked_at=now())
    )
    row = (await tx.execute(select(keys).where(keys.c.prefix == prefix))).one_or_none()
    return None if row is None else _key(row)


async def replace(
    tx: Tx, prefix: str, *, overlap: timedelta, lasts: timedelta | None
) -> tuple[Key, str] | None:
    """A new key that may what this one may; the old one is good for ``overlap`` still.

    None if there is no such key, or if it opens nothing any more.
    """
    row = (await tx.execute(select(keys).where(keys.c.prefix == prefix))).one_or_none()
    moment = now()
    if row is None or not (old := _key(row)).is_good(moment):
        return None
    ends = moment + overlap
    if old.expires_at is None or ends < old.expires_at:
        await tx.execute(update(keys).where(keys.c.id == old.id).values(expires_at=ends))
    return await make(
        tx,
        old.tenant,
        name=old.name,
        scopes=old.scopes,
        owner=old.owner,
        expires_at=None if lasts is None else moment + lasts,
    )


async def require_any(database: Database) -> None:
    """Refuse to serve others as long as nobody of them could come in. Raises ``SetupError``.

    Whether there is one cannot be seen while a server is away. Then it does no harm: each request
    is asked for its key all the same.
    """
    try:
        await schema.check(database)
        async with database.reading() as tx:
            if await _any_good(tx):
                return
    except DatabaseUnavailable as error:
        if database.dialect == "postgresql":
            log.warning("keys.unseen", cause=str(error))
            return
    raise SetupError(
        "Other machines can reach this server, and there is no key yet to let them in with.",
        action="Make one with `headwater keys create`; or listen on 127.0.0.1, with none of "
        "HEADWATER_PUBLIC_URL, HEADWATER_HOSTS and HEADWATER_REQUIRE_KEYS set.",
    )


async def _any_good(tx: Tx) -> bool:
    unexpired = or_(keys.c.expires_at.is_(None), keys.c.expires_at > now())
    query = select(keys.c.id).where(keys.c.revoked_at.is_(None), unexpired).limit(1)
    return (await tx.execute(query)).first() is not None


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _check(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _key(row: Row[Any]) -> Key:
    known = set(Scope)
    return Key(
        id=KeyId(row.id),
        tenant=TenantId(row.tenant_id),
        name=row.name,
        prefix=row.prefix,
        # one that a later release gave and this one does not know opens nothing here
        scopes=frozenset(Scope(each) for each in row.scopes if each in known),
        owner=row.owner,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        used_at=row.used_at,
    )
