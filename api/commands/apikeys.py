"""``headwater keys create``, ``list``, ``revoke`` and ``replace``: who may use the api.

They work on the database itself: before there is a key, nobody could ask the api for one.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.text import Text

from api import words
from api.attaching import StackSettings
from api.commands.ending import ExitCode, Trouble, messages
from api.terminal import print_json
from storage import keys, schema, tenants
from storage.clock import now
from storage.database import Database, open_database
from storage.ids import LOCAL_TENANT, TenantId, new_id
from storage.keys import Key
from storage.scopes import OF_OWNERS, OF_TENANTS, Scope


def run(*, what: str, as_json: bool, **options: Any) -> int:
    return asyncio.run(COMMANDS[what](as_json=as_json, **options))


async def create(
    *,
    name: str,
    tenant: str | None,
    new_tenant: bool,
    owner: str | None,
    scopes: Sequence[str],
    days: int | None,
    as_json: bool,
) -> ExitCode:
    wanted = _scopes(scopes, owner)
    async with _opened() as database, database.transaction() as tx:
        its = await _tenant(tx, tenant, new=new_tenant)
        until = None if days is None else now() + timedelta(days=days)
        key, secret = await keys.make(
            tx, its, name=name, scopes=wanted, owner=owner, expires_at=until
        )
    return _made(key, secret, as_json=as_json)


async def show(*, as_json: bool) -> ExitCode:
    async with _opened() as database, database.reading() as tx:
        found, names = await keys.everything(tx), await tenants.names(tx)
    if as_json:
        for each in found:
            print_json(sys.stdout, _told(each))
    elif found:
        for each in found:
            _line(each, names[each.tenant])
    else:
        messages().print("There are no keys yet: headwater keys create")
    return ExitCode.DONE


async def revoke(*, key: str, as_json: bool) -> ExitCode:
    async with _opened() as database, database.transaction() as tx:
        gone = await keys.revoke(tx, _prefix(key))
    if gone is None:
        raise _missing()
    if as_json:
        print_json(sys.stdout, _told(gone))
    else:
        messages().print(f"Key {gone.prefix} opens nothing any more.")
    return ExitCode.DONE


async def replace(*, key: str, overlap_hours: int, days: int | None, as_json: bool) -> ExitCode:
    async with _opened() as database, database.transaction() as tx:
        made = await keys.replace(
            tx,
            _prefix(key),
            overlap=timedelta(hours=overlap_hours),
            lasts=None if days is None else timedelta(days=days),
        )
    if made is None:
        raise _missing()
    messages().print(f"The old one opens nothing any more in {overlap_hours} hours.")
    return _made(*made, as_json=as_json)


COMMANDS: Mapping[str, Callable[..., Coroutine[Any, Any, ExitCode]]] = {
    "create": create,
    "list": show,
    "revoke": revoke,
    "replace": replace,
}


@asynccontextmanager
async def _opened() -> AsyncGenerator[Database]:
    settings = StackSettings()
    if settings.database_url is None:
        await schema.upgrade(settings.sql_url())  # as `up` does: it may be the first command here
    async with open_database(settings.sql_url()) as database:
        await schema.check(database)
        yield database


async def _tenant(tx: Any, name: str | None, *, new: bool) -> TenantId:
    if name is None:
        await tenants.ensure_local(tx)
        return LOCAL_TENANT
    there = await tenants.named(tx, name)
    if there is None and new:
        there = TenantId(new_id())
        await tenants.ensure(tx, there, name=name)
    elif there is None:
        raise Trouble(
            f"There is no tenant named {name!r}.",
            action="Add --new-tenant to make it.",
            code=ExitCode.USAGE,
        )
    elif new:
        raise Trouble(
            f"There is a tenant named {name!r} already.",
            action="Leave --new-tenant out, or choose another name.",
            code=ExitCode.USAGE,
        )
    return there


def _scopes(wanted: Sequence[str], owner: str | None) -> frozenset[Scope]:
    allowed = frozenset(Scope) if owner is None else OF_OWNERS
    strange = sorted(set(wanted) - allowed)
    if strange:
        raise Trouble(
            f"A key{' of one owner' if owner else ''} cannot have: {', '.join(strange)}.",
            action=f"The scopes are: {', '.join(sorted(allowed))}.",
            code=ExitCode.USAGE,
        )
    if wanted:
        return frozenset(map(Scope, wanted))
    return OF_TENANTS if owner is None else OF_OWNERS


def _prefix(key: str) -> str:
    """Whoever has only the whole key may paste it: the middle of it names it."""
    parts = key.split("_")
    return parts[1] if len(parts) > 1 else key


def _missing() -> Trouble:
    return Trouble(
        "There is no such key, or it opens nothing any more.",
        action="`headwater keys list` shows them.",
        code=ExitCode.USAGE,
    )


def _made(key: Key, secret: str, *, as_json: bool) -> ExitCode:
    if as_json:
        print_json(sys.stdout, {**_told(key), "key": secret})
    else:
        messages().print("Keep it now: it is never shown again. It is sent as a Bearer token.")
        print(secret)  # noqa: T201  # the data of this command
    return ExitCode.DONE


def _told(key: Key) -> dict[str, Any]:
    moments = (key.created_at, key.expires_at, key.revoked_at, key.used_at)
    created, expires, revoked, used = (each and each.isoformat() for each in moments)
    return {
        "prefix": key.prefix,
        "name": key.name,
        "tenant_id": str(key.tenant),
        "owner": key.owner,
        "scopes": sorted(key.scopes),
        "created_at": created,
        "expires_at": expires,
        "revoked_at": revoked,
        "used_at": used,
    }


def _line(key: Key, tenant: str) -> None:
    used = "never used" if key.used_at is None else f"used {key.used_at:%Y-%m-%d %H:%M} UTC"
    cells = (key.prefix, words.clean(tenant), words.clean(key.name), _state(key), used)
    Console(highlight=False).print(Text("  ".join(cells)), soft_wrap=True)


def _state(key: Key) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    if not key.is_good(now()):
        return "over"
    return "good" if key.expires_at is None else f"good until {key.expires_at:%Y-%m-%d %H:%M} UTC"
