"""Giving access to an account back."""

import asyncio

import structlog
from pydantic import SecretStr

from api.accounts import (
    CredentialRequest,
    Disconnected,
    InstallationRequest,
    PasswordRequest,
    TokenRequest,
)
from api.doors import spec_of
from api.services import Services
from connectors.access import Credential, CredentialKind, Installation, Password, Token
from connectors.errors import ConnectorError
from connectors.hearing import Watched
from connectors.keeping import KeptGrant
from storage import credentials, erasing, schedules, watches
from storage.audit import AuditAction
from storage.connections import Connection
from storage.credentials import Vault
from storage.erasing import Erasure
from storage.errors import SetupError
from storage.schedules import Hold

log = structlog.get_logger()
REVOKE_SECONDS = 15.0
SILENCE_SECONDS = 10.0


async def disconnect(services: Services, connection: Connection) -> Disconnected:
    """Revoke the grant at its provider and delete the credential, also if the provider is away.

    What opens an account is deleted in any case: a provider that does not answer is no reason to
    keep it. The owner can revoke the grant there.
    """
    keyring = services.doors.keyring
    vault = Vault(services.database, keyring, connection.tenant, connection.id, actor="api")
    await _silence(services, connection)
    revoked = await _revoke(services, vault, connection)
    async with services.database.transaction() as tx:
        await watches.remove(tx, connection.tenant, connection.id)
        deleted = await credentials.forget(tx, connection.tenant, connection.id, actor="api")
        if deleted:
            await schedules.hold(tx, connection.tenant, connection.id, Hold.REAUTHORIZATION)
    return Disconnected(deleted=deleted, revoked=revoked)


async def erase(services: Services, connection: Connection) -> Erasure | None:
    """Revoke the grant, and begin to erase the connection with all that was made of it."""
    keyring = services.doors.keyring
    vault = Vault(services.database, keyring, connection.tenant, connection.id, actor="api")
    await _silence(services, connection)
    try:
        async with asyncio.timeout(REVOKE_SECONDS):
            revoked = await _revoke(services, vault, connection)
    except (TimeoutError, SetupError) as error:  # neither is a reason to keep anything
        log.warning("grant.not_revoked", connection=str(connection.id), detail=str(error))
        revoked = False
    async with services.database.transaction() as tx:
        return await erasing.request(
            tx, connection.tenant, connection.id, revoked=revoked, actor="api"
        )


def as_credential(given: CredentialRequest) -> Credential:
    """What came over the wire, as connectors know it. The key of an App is put in when opened."""
    match given:
        case TokenRequest():
            return Token(token=given.token)
        case PasswordRequest():
            return Password(user=given.user, password=given.password)
        case InstallationRequest():
            return Installation(
                app_id="", installation_id=given.installation_id, private_key=SecretStr("")
            )


async def _silence(services: Services, connection: Connection) -> None:
    """Let its source tell no more of changes, while there is something to ask it with."""
    async with services.database.reading() as tx:
        if not await watches.is_armed(tx, connection.tenant, connection.id):
            return
    try:
        async with (
            asyncio.timeout(SILENCE_SECONDS),
            services.doors.opened(services.database, connection, actor="api") as connector,
        ):
            if isinstance(connector, Watched):
                await connector.disarm()
    except (ConnectorError, SetupError, TimeoutError) as error:  # it forgets by itself in days
        log.warning("watch.not_stopped", connection=str(connection.id), detail=str(error))


async def _revoke(services: Services, vault: Vault, connection: Connection) -> bool:
    try:
        kept = await vault.load()
        client = services.doors.locksmith.client(spec_of(connection.kind))
        if kept is None or kept.kind != CredentialKind.OAUTH or client is None:
            return False
        grant = KeptGrant.model_validate_json(kept.secret)
        revoked = await client.revoke(grant.access_token, grant.refresh_token)
    except ConnectorError as error:
        log.warning("grant.not_revoked", connection=str(connection.id), detail=str(error))
        return False
    if revoked:
        await vault.tell(AuditAction.REVOKED)
    return revoked
