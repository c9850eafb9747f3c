"""Keys of the api, made and taken back by programs: none gives what it does not have itself.

Like webhooks, what answers with a secret is not answered twice to one Idempotency-Key.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from fastapi import APIRouter, Response

from api.callers import Caller
from api.keyviews import KeyMade, KeyRotation, KeyView, KeyWanted, shown
from api.knocking import require
from api.needs import needs
from api.pagination import Paged
from api.problems import Code, Problem
from api.schemas import Page
from api.services import Asking, Handed, Tenant
from storage import keys, tenants
from storage.clock import now
from storage.database import Tx
from storage.ids import KeyId
from storage.keys import Key
from storage.scopes import Scope

router = APIRouter(prefix="/v1/keys", tags=["operations"])
log = structlog.get_logger()
NO_STORE = "no-store"


@router.post(
    "",
    dependencies=[needs(Scope.KEYS_WRITE)],
    operation_id="create_key",
    summary="Another key, of what the caller itself may",
    status_code=201,
)
async def create(
    wanted: KeyWanted, services: Handed, asking: Asking, response: Response
) -> KeyMade:
    """The key is shown this once."""
    for scope in sorted(wanted.scopes):
        require(asking, scope)
    async with services.database.transaction() as tx:
        await tenants.settle(tx, asking.tenant)
        made, secret = await keys.make(
            tx,
            asking.tenant,
            name=wanted.name,
            scopes=wanted.scopes,
            owner=wanted.owner,
            expires_at=_end(wanted.expires_in_days),
        )
    return _told(asking, made, secret, response)


@router.get(
    "",
    dependencies=[needs(Scope.KEYS_WRITE)],
    operation_id="list_keys",
    summary="The tenant's keys, without their secrets",
)
async def page(services: Handed, tenant: Tenant, paging: Paged) -> Page[KeyView]:
    """The newest first, also what is revoked or over."""
    listing = f"keys:{tenant}"
    async with services.database.reading() as tx:
        rows = await keys.page(tx, tenant, after=paging.after(listing, KeyId), limit=paging.more)
    some, following = paging.cut(listing, rows, lambda row: row.id)
    return Page(items=[shown(row) for row in some], next_cursor=following)


@router.post(
    "/{key_id}/rotate",
    dependencies=[needs(Scope.KEYS_WRITE)],
    operation_id="rotate_key",
    summary="A key that may the same; the old one is over soon",
    status_code=201,
)
async def rotate(
    key_id: UUID, wanted: KeyRotation, services: Handed, asking: Asking, response: Response
) -> KeyMade:
    """The key is shown this once. One that leaked: rotate with `overlap_hours` 0, or revoke it."""
    lasts = wanted.expires_in_days
    async with services.database.transaction() as tx:
        old = await _within_reach(tx, asking, key_id)
        made = await keys.replace(
            tx,
            old.prefix,
            overlap=timedelta(hours=wanted.overlap_hours),
            lasts=None if lasts is None else timedelta(days=lasts),
        )
    if made is None:
        raise Problem(Code.KEY_OVER, f"The key {key_id} opens nothing any more.")
    return _told(asking, *made, response)


@router.delete(
    "/{key_id}",
    dependencies=[needs(Scope.KEYS_WRITE)],
    operation_id="revoke_key",
    summary="Take a key back at once, with all that browsers were given with it",
    status_code=204,
)
async def revoke(key_id: UUID, services: Handed, asking: Asking) -> None:
    """Again, it changes nothing. It stays in the list."""
    async with services.database.transaction() as tx:
        it = await _within_reach(tx, asking, key_id)
        await keys.revoke(tx, it.prefix)
    log.info("key.revoked", key=it.prefix, by=_name(asking))


async def _within_reach(tx: Tx, asking: Caller, key_id: UUID) -> Key:
    """One that may nothing which the caller may not: a new secret of it would give that away."""
    it = await keys.get(tx, asking.tenant, KeyId(key_id))
    if it is None:
        raise Problem(Code.NOT_FOUND, f"There is no key {key_id}.")
    for scope in sorted(it.scopes):
        require(asking, scope)
    return it


def _end(days: int | None) -> datetime | None:
    return None if days is None else now() + timedelta(days=days)


def _told(asking: Caller, made: Key, secret: str, response: Response) -> KeyMade:
    log.info("key.made", key=made.prefix, by=_name(asking))
    response.headers["Cache-Control"] = NO_STORE
    return KeyMade(**shown(made).model_dump(), key=secret)


def _name(asking: Caller) -> str:
    return "this machine" if asking.key is None else str(asking.key)
