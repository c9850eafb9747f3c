"""What browsers are given: a token for a quarter of an hour, a ticket for one opening of a stream.

Both are rows, not signed text: who revokes a key has revoked with it all that was given with it,
at once and everywhere, and no server needs a key of its own to know them.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, delete, insert, or_, select

from storage.clock import now
from storage.database import Tx
from storage.ids import KeyId, RunId, TenantId
from storage.scopes import Scope
from storage.tables import keys, passes

TOKEN_LASTS = timedelta(minutes=15)
TICKET_LASTS = timedelta(seconds=60)
TOKEN, TICKET = "hwc_", "hwt_"  # what they begin with, for scanners of leaked secrets
SECRET_BYTES = 32
SWEPT_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """``owner``, ``runs`` and ``origin`` are what it is narrowed to; None: to nothing."""

    tenant: TenantId
    key: KeyId | None
    owner: str | None
    scopes: frozenset[Scope]
    runs: frozenset[RunId] | None
    origin: str | None
    expires_at: datetime


async def give(
    tx: Tx,
    tenant: TenantId,
    *,
    key: KeyId | None,
    owner: str | None,
    scopes: Collection[Scope],
    runs: Collection[RunId] | None,
    origin: str | None,
    lasts: timedelta = TOKEN_LASTS,
    once: bool = False,
) -> tuple[Pass, str]:
    """A new token, or a ticket if it is good ``once``; and the secret of it."""
    moment = now()
    await tx.execute(
        delete(passes).where(
            passes.c.tenant_id == tenant, passes.c.expires_at < moment - SWEPT_AFTER
        )
    )
    secret = (TICKET if once else TOKEN) + secrets.token_urlsafe(SECRET_BYTES)
    row = {
        "digest": _digest(secret),
        "tenant_id": tenant,
        "key_id": key,
        "owner": owner,
        "scopes": sorted(scopes),
        "runs": None if runs is None else sorted(str(each) for each in runs),
        "origin": origin,
        "once": once,
        "created_at": moment,
        "expires_at": moment + lasts,
    }
    made = await tx.execute(insert(passes).values(row).returning(passes))
    return _pass(made.one()), secret


async def find(tx: Tx, secret: str) -> Pass | None:
    """What the token of this secret is good for, whichever tenant's, unless it is over."""
    query = (
        select(passes)
        .outerjoin(keys, keys.c.id == passes.c.key_id)
        .where(_good(secret, now()), passes.c.once.is_(False))
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _pass(row)


async def redeem(tx: Tx, secret: str) -> Pass | None:
    """Use a ticket up. Of two who show it at once, one comes in."""
    good = (
        select(passes.c.digest)
        .outerjoin(keys, keys.c.id == passes.c.key_id)
        .where(_good(secret, now()), passes.c.once.is_(True))
    )
    used = await tx.execute(
        delete(passes).where(passes.c.digest.in_(good.scalar_subquery())).returning(passes)
    )
    row = used.one_or_none()
    return None if row is None else _pass(row)


def _good(secret: str, moment: datetime) -> Any:
    """Found by its digest, which tells nothing by how long the looking takes."""
    unexpired = or_(keys.c.expires_at.is_(None), keys.c.expires_at > moment)
    key_is_good = and_(keys.c.id.is_not(None), keys.c.revoked_at.is_(None), unexpired)
    return and_(
        passes.c.digest == _digest(secret),
        passes.c.expires_at > moment,
        or_(passes.c.key_id.is_(None), key_is_good),
    )


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _pass(row: Row[Any]) -> Pass:
    known = set(Scope)
    return Pass(
        tenant=TenantId(row.tenant_id),
        key=None if row.key_id is None else KeyId(row.key_id),
        owner=row.owner,
        scopes=frozenset(Scope(each) for each in row.scopes if each in known),
        runs=None if row.runs is None else frozenset(RunId(UUID(each)) for each in row.runs),
        origin=row.origin,
        expires_at=row.expires_at,
    )
