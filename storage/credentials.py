"""What opens a connected account: sealed, one a connection, replaced only by who knows it.

Refreshing one takes a request to its provider. Nobody holds a transaction meanwhile: SQLite has one
writer, and PostgreSQL ends a session that is idle in a transaction. Who refreshes holds the row by
a short lease, and replaces what is sealed only if it is still the version they refreshed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any

from sqlalchemy import Row, delete, func, or_, select, update

from storage import audit
from storage.audit import AuditAction
from storage.bulk import insert
from storage.clock import now, shared_now
from storage.database import Database, Tx
from storage.ids import ConnectionId, TenantId
from storage.sealed import Belongs, Keyring, Sealed
from storage.tables import credentials
from storage.webhooks import outbox
from storage.webhooks.values import Kind

FIELD = "credential"
LEASE = timedelta(seconds=30)
"""Longer than a provider may take to answer a refresh, with its timeouts."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A credential as its version. ``dead`` is why it opens nothing any more."""

    kind: str
    secret: bytes  # what the connectors' side makes of a credential; kept out of every repr
    version: int
    dead: str | None
    created_at: datetime

    def __repr__(self) -> str:
        return f"Kept(kind={self.kind!r}, version={self.version}, dead={self.dead!r})"


@dataclass(frozen=True, slots=True)
class State:
    """What may be shown of a credential."""

    kind: str
    dead: str | None


async def give(
    tx: Tx,
    keyring: Keyring,
    tenant: TenantId,
    connection: ConnectionId,
    *,
    kind: str,
    secret: bytes,
    actor: str,
) -> None:
    """Keep what an owner gave, instead of what they gave before."""
    sealed = keyring.seal(secret, Belongs(tenant, connection, FIELD))
    moment = now()
    fresh = {
        "kind": kind,
        "sealed": sealed.body,
        "key_id": sealed.key_id,
        "dead": None,
        "renewing_by": None,
        "renewing_until": None,
        "created_at": moment,
        "updated_at": moment,
    }
    row = {"connection_id": connection, "tenant_id": tenant, "version": 1, **fresh}
    given = await tx.scalar(
        insert(tx, credentials)
        .values(row)
        .on_conflict_do_update(
            index_elements=["connection_id"],
            set_={**fresh, "version": credentials.c.version + 1},
        )
        .returning(credentials.c.version)
    )
    action = AuditAction.CREATED if given == 1 else AuditAction.REPLACED
    await audit.record(tx, tenant, connection, action, actor, kind)
    if action is AuditAction.REPLACED:
        await outbox.tell_connection(tx, tenant, connection, Kind.CONNECTION_REAUTHORIZED)


async def forget(tx: Tx, tenant: TenantId, connection: ConnectionId, *, actor: str) -> bool:
    """Delete it. Whether there was one."""
    gone = await tx.execute(
        delete(credentials)
        .where(credentials.c.tenant_id == tenant, credentials.c.connection_id == connection)
        .returning(credentials.c.version)
    )
    if gone.first() is None:
        return False
    await audit.record(tx, tenant, connection, AuditAction.DELETED, actor)
    return True


async def states(
    tx: Tx, tenant: TenantId, connections: Collection[ConnectionId]
) -> Mapping[ConnectionId, State]:
    """Of those that have one."""
    query = select(credentials.c.connection_id, credentials.c.kind, credentials.c.dead).where(
        credentials.c.tenant_id == tenant, credentials.c.connection_id.in_(connections)
    )
    return {row.connection_id: State(row.kind, row.dead) for row in await tx.execute(query)}


async def hold(tx: Tx, tenant: TenantId, connection: ConnectionId) -> State | None:
    """What may be shown of it, and nobody gives another one until the commit."""
    query = select(credentials.c.kind, credentials.c.dead).where(
        credentials.c.tenant_id == tenant, credentials.c.connection_id == connection
    )
    row = (await tx.execute(query.with_for_update())).one_or_none()
    return None if row is None else State(row.kind, row.dead)


@dataclass(frozen=True, slots=True)
class Vault:
    """One connection's credential, for whoever has to open it, refresh it or find it dead.

    Each method is a transaction of its own, so that what it says is durable when it returns.
    """

    database: Database
    keyring: Keyring
    tenant: TenantId
    connection: ConnectionId
    actor: str

    async def load(self) -> Kept | None:
        """Raises ``SecretKeyMissing`` or ``SealBroken``."""
        async with self.database.reading() as tx:
            row = (await tx.execute(select(credentials).where(*self._mine))).one_or_none()
        return None if row is None else self._opened(row)

    async def opened(self) -> None:
        """Tell the audit that it is used."""
        await self.tell(AuditAction.OPENED)

    async def tell(self, action: AuditAction, detail: str = "") -> None:
        async with self.database.transaction() as tx:
            await audit.record(tx, self.tenant, self.connection, action, self.actor, detail)

    async def claim(self, version: int) -> str | None:
        """Take the right to refresh this version. None if it is another one, or somebody's."""
        holder = token_hex(16)
        async with self.database.transaction() as tx:
            moment = await shared_now(tx)
            free = or_(
                credentials.c.renewing_until.is_(None), credentials.c.renewing_until <= moment
            )
            taken = await tx.execute(
                update(credentials)
                .where(*self._mine, credentials.c.version == version, free)
                .values(renewing_by=holder, renewing_until=moment + LEASE)
                .returning(credentials.c.version)
            )
            return None if taken.first() is None else holder

    async def let_go(self, holder: str) -> None:
        """Nothing came of it: the next one may try."""
        async with self.database.transaction() as tx:
            await tx.execute(
                update(credentials)
                .where(*self._mine, credentials.c.renewing_by == holder)
                .values(renewing_by=None, renewing_until=None)
            )

    async def replace(self, version: int, secret: bytes) -> bool:
        """Put a refreshed one in this version's place, durably. False if it is not there."""
        sealed = self.keyring.seal(secret, Belongs(self.tenant, self.connection, FIELD))
        return await self._change(
            version,
            AuditAction.REFRESHED,
            version=version + 1,
            sealed=sealed.body,
            key_id=sealed.key_id,
            renewing_by=None,
            renewing_until=None,
        )

    async def bury(self, version: int, cause: str) -> bool:
        """Mark this version as good for nothing. False if its owner gave another one meanwhile."""
        return await self._change(
            version, AuditAction.DIED, dead=cause, renewing_by=None, renewing_until=None
        )

    async def _change(self, expected: int, action: AuditAction, **values: Any) -> bool:
        async with self.database.transaction() as tx:
            changed = await tx.execute(
                update(credentials)
                .where(*self._mine, credentials.c.version == expected, credentials.c.dead.is_(None))
                .values(**values, updated_at=now())
                .returning(credentials.c.version)
            )
            if changed.first() is None:
                return False
            detail = values.get("dead") or ""
            await audit.record(tx, self.tenant, self.connection, action, self.actor, detail)
            if action is AuditAction.DIED:
                needs = Kind.CONNECTION_NEEDS_REAUTHORIZATION
                await outbox.tell_connection(tx, self.tenant, self.connection, needs, reason=detail)
        return True

    def _opened(self, row: Row[Any]) -> Kept:
        belongs = Belongs(self.tenant, self.connection, FIELD)
        secret = self.keyring.open(Sealed(row.sealed, row.key_id), belongs)
        return Kept(row.kind, secret, row.version, row.dead, row.created_at)

    @property
    def _mine(self) -> tuple[Any, Any]:
        mine = credentials.c.connection_id == self.connection
        return credentials.c.tenant_id == self.tenant, mine


@dataclass(frozen=True, slots=True)
class Resealed:
    """What a rotation did: rows sealed again, and those still under a key that is not the first."""

    done: int
    left: int


async def reseal(database: Database, keyring: Keyring, *, batch: int = 100) -> Resealed:
    """Seal everything with the first key, some rows a transaction, while others use them.

    Raises ``SecretKeyMissing`` if a key is missing that something is sealed with.
    """
    done = 0
    while True:
        async with database.transaction() as tx:
            old = select(credentials).where(credentials.c.key_id != keyring.sealing)
            locked = old.limit(batch).with_for_update(skip_locked=True)
            rows = (await tx.execute(locked)).all()
            for row in rows:
                await _reseal(tx, keyring, row)
        done += len(rows)
        if not rows:
            break
    async with database.reading() as tx:
        count = select(func.count()).where(credentials.c.key_id != keyring.sealing)
        left = await tx.scalar(count.select_from(credentials)) or 0
    return Resealed(done, left)


async def _reseal(tx: Tx, keyring: Keyring, row: Row[Any]) -> None:
    """The version stays: it is the same credential, and who refreshes it now may go on."""
    belongs = Belongs(row.tenant_id, row.connection_id, FIELD)
    sealed = keyring.seal(keyring.open(Sealed(row.sealed, row.key_id), belongs), belongs)
    await tx.execute(
        update(credentials)
        .where(credentials.c.connection_id == row.connection_id)
        .values(sealed=sealed.body, key_id=sealed.key_id)
    )
    connection = ConnectionId(row.connection_id)
    action = AuditAction.RESEALED
    await audit.record(tx, TenantId(row.tenant_id), connection, action, "keys", sealed.key_id)
