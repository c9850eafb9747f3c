"""How somebody comes to connect an account: a session of the connect page, and its consents.

A session belongs to a tenant and an owner, and to the first browser that opens its link. A consent
is the way to a provider and back: it can be used once, for ten minutes, by that browser alone, for
the owner, provider and connection it was begun for. Of what travels through browsers, only the
SHA-256 is kept, so that whoever reads the database cannot finish anybody's way.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, NewType
from uuid import UUID

from sqlalchemy import Row, delete, insert, or_, select, update

from storage.clock import now
from storage.database import Tx
from storage.ids import ConnectionId, RunId, TenantId, new_id
from storage.sealed import Belongs, KeyId, Keyring, Sealed
from storage.tables import connect_sessions, consents

SessionId = NewType("SessionId", UUID)
SESSION_LASTS = timedelta(hours=1)
CONSENT_LASTS = timedelta(minutes=10)
SECRET_BYTES = 32
FIELD = "verifier"


class Step(StrEnum):
    CHOOSING = "choosing"  # a source
    CONSENTING = "consenting"  # by OAuth, or by giving a credential
    SELECTING = "selecting"  # what to ingest of it
    STARTED = "started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    id: SessionId
    tenant: TenantId
    owner: str
    kind: str | None
    step: Step
    connection: ConnectionId | None
    run: RunId | None
    notice: Mapping[str, Any] | None
    return_to: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A way to a provider that came back as it should."""

    session: Session
    kind: str
    provider: str
    connection: ConnectionId | None
    redirect_uri: str
    verifier: str

    def __repr__(self) -> str:
        return f"Consent(session={self.session.id}, provider={self.provider!r})"


async def begin(
    tx: Tx,
    tenant: TenantId,
    *,
    owner: str,
    kind: str | None = None,
    connection: ConnectionId | None = None,
    return_to: str | None = None,
) -> tuple[Session, str]:
    """A new session, and the secret of its link. With a ``connection``, to consent to it again."""
    secret, moment = secrets.token_urlsafe(SECRET_BYTES), now()
    await _tidy(tx, moment)
    row = {
        "id": new_id(),
        "tenant_id": tenant,
        "owner": owner,
        "secret": digest(secret),
        "kind": kind,
        "step": Step.CHOOSING if kind is None else Step.CONSENTING,
        "connection_id": connection,
        "return_to": return_to,
        "created_at": moment,
        "expires_at": moment + SESSION_LASTS,
    }
    made = await tx.execute(insert(connect_sessions).values(row).returning(connect_sessions))
    return _session(made.one()), secret


async def enter(tx: Tx, session: SessionId, secret: str, *, browser: str) -> Session | None:
    """The session of this link, which from now on belongs to this browser. None if it may not."""
    mine = digest(browser)
    entered = await tx.execute(
        update(connect_sessions)
        .where(
            connect_sessions.c.id == session,
            connect_sessions.c.secret == digest(secret),
            connect_sessions.c.expires_at > now(),
            or_(connect_sessions.c.browser.is_(None), connect_sessions.c.browser == mine),
        )
        .values(browser=mine)
        .returning(connect_sessions)
    )
    row = entered.one_or_none()
    return None if row is None else _session(row)


async def get(tx: Tx, session: SessionId, *, browser: str) -> Session | None:
    query = select(connect_sessions).where(
        connect_sessions.c.id == session,
        connect_sessions.c.browser == digest(browser),
        connect_sessions.c.expires_at > now(),
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _session(row)


async def show(tx: Tx, tenant: TenantId, session: SessionId) -> Session | None:
    """For the tenant's own program, which has no browser."""
    query = select(connect_sessions).where(
        connect_sessions.c.tenant_id == tenant, connect_sessions.c.id == session
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _session(row)


async def change(tx: Tx, session: SessionId, **values: Any) -> Session:
    changed = await tx.execute(
        update(connect_sessions)
        .where(connect_sessions.c.id == session)
        .values(**values)
        .returning(connect_sessions)
    )
    return _session(changed.one())


async def ask(
    tx: Tx,
    keyring: Keyring,
    session: Session,
    *,
    browser: str,
    kind: str,
    provider: str,
    redirect_uri: str,
) -> tuple[str, str]:
    """Begin a consent: the state that travels, and the verifier that does not (RFC 7636)."""
    state, verifier = (secrets.token_urlsafe(SECRET_BYTES) for _ in range(2))
    key, moment = digest(state), now()
    sealed = keyring.seal(verifier.encode(), Belongs(session.tenant, key, FIELD))
    await tx.execute(
        insert(consents).values(
            state=key,
            tenant_id=session.tenant,
            session_id=session.id,
            owner=session.owner,
            kind=kind,
            provider=provider,
            connection_id=session.connection,
            browser=digest(browser),
            verifier=sealed.body,
            key_id=sealed.key_id,
            redirect_uri=redirect_uri,
            created_at=moment,
            expires_at=moment + CONSENT_LASTS,
        )
    )
    return state, verifier


async def pending(tx: Tx, session: Session) -> bool:
    """Whether somebody went to a provider, and did not come back yet from where they went last."""
    query = select(consents.c.used_at).where(consents.c.session_id == session.id)
    latest = (await tx.execute(query.order_by(consents.c.created_at.desc()).limit(1))).first()
    return latest is not None and latest.used_at is None


async def drop(tx: Tx, session: Session) -> None:
    """Forget the ways that were begun and not finished: from now on they lead nowhere."""
    await tx.execute(
        delete(consents).where(consents.c.session_id == session.id, consents.c.used_at.is_(None))
    )


async def redeem(
    tx: Tx, keyring: Keyring, state: str, *, browser: str, provider: str
) -> Consent | None:
    """Use a consent up. None if there is none for this state, browser and provider any more.

    The caller commits before it does anything with it: a state is good for one try.
    """
    key, moment = digest(state), now()
    used = await tx.execute(
        update(consents)
        .where(
            consents.c.state == key,
            consents.c.browser == digest(browser),
            consents.c.provider == provider,
            consents.c.used_at.is_(None),
            consents.c.expires_at > moment,
        )
        .values(used_at=moment)
        .returning(consents)
    )
    row = used.one_or_none()
    session = None if row is None else await get(tx, SessionId(row.session_id), browser=browser)
    if row is None or session is None:
        return None
    sealed = Sealed(row.verifier, KeyId(row.key_id))
    verifier = keyring.open(sealed, Belongs(session.tenant, key, FIELD))
    return Consent(
        session=session,
        kind=row.kind,
        provider=row.provider,
        connection=row.connection_id and ConnectionId(row.connection_id),
        redirect_uri=row.redirect_uri,
        verifier=verifier.decode(),
    )


def digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


async def _tidy(tx: Tx, moment: datetime) -> None:
    """Sessions that are long over go, and their consents with them."""
    over = connect_sessions.c.expires_at < moment - SESSION_LASTS
    await tx.execute(delete(connect_sessions).where(over))


def _session(row: Row[Any]) -> Session:
    return Session(
        id=SessionId(row.id),
        tenant=TenantId(row.tenant_id),
        owner=row.owner,
        kind=row.kind,
        step=Step(row.step),
        connection=row.connection_id and ConnectionId(row.connection_id),
        run=row.run_id and RunId(row.run_id),
        notice=row.notice,
        return_to=row.return_to,
        expires_at=row.expires_at,
    )
