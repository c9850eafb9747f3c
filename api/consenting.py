"""What becomes of a consent: a connection with a credential, or a sentence that says why not."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from api.doors import Doors, spec_of
from api.notices import Notice, noted
from api.services import Services
from api.waking import tell_woken, wake
from connectors.access import Credential, Given, Permission
from connectors.connector import Account, Spec
from connectors.errors import ConnectorError, ReauthorizationNeeded, SourceRefused
from connectors.keeping import KeptGrant
from connectors.oauth.client import GrantOver, OAuthClient, Tokens
from storage import connecting, connections
from storage.connecting import Consent, Session, Step
from storage.connections import Connection
from storage.database import Tx
from storage.ids import ConnectionId, RunId

LOOK_SECONDS = 20.0
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Returned:
    """What the browser brought back. Neither is believed, only tried; no text of it is shown."""

    code: str | None
    error: str | None


async def finish(
    services: Services, consent: Consent, client: OAuthClient, returned: Returned
) -> None:
    """Leave the session with its connection, or with a notice. Nothing is connected by halves."""
    spec = spec_of(consent.kind)
    try:
        notice = await _finish(services, consent, client, returned)
    except GrantOver:
        notice = noted(Notice.STALE)
    except SourceRefused as error:
        log.warning("consent.failed", kind=spec.kind, detail=str(error), action=error.action)
        notice = noted(Notice.REFUSED)
    except ConnectorError as error:
        log.warning("consent.failed", kind=spec.kind, detail=str(error))
        notice = noted(Notice.AWAY)
    if notice is None:
        return
    async with services.database.transaction() as tx:
        await connecting.change(tx, consent.session.id, notice=notice, kind=consent.kind)


async def _finish(
    services: Services, consent: Consent, client: OAuthClient, returned: Returned
) -> dict[str, object] | None:
    if returned.code is None:
        return noted(Notice.DENIED if returned.error == "access_denied" else Notice.REFUSED)
    spec = spec_of(consent.kind)
    tokens = await client.exchange(
        returned.code, verifier=consent.verifier, redirect_uri=consent.redirect_uri
    )
    missing = _missing(spec, tokens)
    if any(each.required for each in _permissions(spec) if each.scope in missing):
        await _hand_back(client, tokens)
        return noted(Notice.PARTIAL, missing)
    grant = KeptGrant.of(tokens, now=datetime.now(UTC))
    try:
        account = await account_of(services.doors, spec, grant.credential())
    except (ConnectorError, TimeoutError) as error:
        await _hand_back(client, tokens)
        log.warning("consent.unusable", kind=spec.kind, detail=str(error))
        refused = isinstance(error, ReauthorizationNeeded | SourceRefused)
        return noted(Notice.REFUSED if refused else Notice.AWAY)
    woken: list[RunId] = []
    async with services.database.transaction() as tx:
        there = await _there(
            tx, services.doors, consent.session, spec, account, again=consent.connection
        )
        if there is not None:
            await services.doors.give(tx, there.tenant, there.id, grant, actor="connect page")
            woken = await wake(tx, there.tenant, there.id)
            again = consent.connection is not None
            await _advance(tx, consent, there, woken, missing, again=again)
    if there is None:
        await _hand_back(client, tokens)
        return noted(Notice.ANOTHER_ACCOUNT)
    await tell_woken(services, woken)
    log.info("consent.given", kind=spec.kind, connection=str(there.id), woken=len(woken))
    return None


async def account_of(doors: Doors, spec: Spec, credential: Credential) -> Account | None:
    """Whose it is, by the source itself. Raises the errors of connectors."""
    config = doors.stated(spec, {})
    async with (
        asyncio.timeout(LOOK_SECONDS),
        doors.open(spec, config, Given(credential, spec.title)) as connector,
    ):
        return await connector.account()


async def keep_connection(
    tx: Tx, session: Session, spec: Spec, account: Account | None, config: dict[str, object]
) -> Connection:
    """The owner's connection to this account, with what is ingested of it if it is known."""
    if account is not None:
        known = await connections.of_account(
            tx, session.tenant, owner=session.owner, kind=spec.kind, account=account.id
        )
        if known is not None:
            return known
    made, _ = await connections.connect(
        tx,
        session.tenant,
        owner=session.owner,
        kind=spec.kind,
        title=account.name if account else spec.title,
        config=config,
        account=account.id if account else None,
    )
    return made


async def _there(
    tx: Tx,
    doors: Doors,
    session: Session,
    spec: Spec,
    account: Account | None,
    *,
    again: ConnectionId | None,
) -> Connection | None:
    """The connection to give the grant to. None if somebody else's account was consented to."""
    if again is None:
        config = doors.stated(spec, {}).model_dump(mode="json")
        return await keep_connection(tx, session, spec, account, config)
    there = await connections.get(tx, session.tenant, again)
    if there is None or there.account != (account.id if account else None):
        return None
    return there


async def _advance(
    tx: Tx,
    consent: Consent,
    there: Connection,
    woken: Sequence[RunId],
    missing: Sequence[str],
    *,
    again: bool,
) -> None:
    reduced = noted(Notice.REDUCED, missing) if missing else None
    await connecting.drop(tx, consent.session)
    await connecting.change(
        tx,
        consent.session.id,
        kind=consent.kind,
        connection_id=there.id,
        step=Step.STARTED if again else Step.SELECTING,
        run_id=woken[0] if woken else None,
        notice=noted(Notice.RECONNECTED) if again and not missing else reduced,
    )


def _permissions(spec: Spec) -> tuple[Permission, ...]:
    return spec.consent.permissions if spec.consent else ()


def _missing(spec: Spec, tokens: Tokens) -> list[str]:
    """What was asked for and not given; who says nothing gave all (RFC 6749, 5.1)."""
    if tokens.scopes is None:
        return []
    return [each.scope for each in _permissions(spec) if each.scope not in tokens.scopes]


async def _hand_back(client: OAuthClient, tokens: Tokens) -> None:
    """What is not kept is not left open either."""
    try:
        await client.revoke(tokens.access_token, tokens.refresh_token)
    except ConnectorError as error:
        log.warning("grant.not_revoked", detail=str(error))
