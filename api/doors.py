"""Accounts as the api opens them: to ask for grants, to look what there is, to give access back."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from connectors import catalog
from connectors.access import Access, Credential
from connectors.connector import Connector, Spec
from connectors.egress import Exceptions, excepting
from connectors.errors import KindUnknown, SourceInvalid
from connectors.hearing import HintSettings
from connectors.keeping import KeptGrant, write_down
from connectors.locksmith import Locksmith
from storage import credentials
from storage.connections import Connection
from storage.credentials import Vault
from storage.database import Database, Tx
from storage.ids import ConnectionId, TenantId
from storage.sealed import Keyring
from storage.settings import StorageSettings


@dataclass(slots=True)
class Doors:
    """``public_url`` is where browsers reach this server; None: where the request came to.

    The keys are looked for when the first credential comes: who connects no account needs none.
    """

    storage: StorageSettings
    locksmith: Locksmith = field(default_factory=Locksmith)
    public_url: str | None = None
    return_origins: frozenset[str] = frozenset()
    egress: Exceptions = field(default_factory=Exceptions)
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    hinting: HintSettings = field(default_factory=HintSettings.model_construct)
    specs: Mapping[str, Spec] | None = None
    """The kinds there are; None: those of the catalogue."""

    _keyring: Keyring | None = None

    @property
    def keyring(self) -> Keyring:
        """Raises ``SecretKeyMissing``."""
        if self._keyring is None:
            self._keyring = self.storage.keyring()
        return self._keyring

    async def give(
        self,
        tx: Tx,
        tenant: TenantId,
        connection: ConnectionId,
        given: Credential | KeptGrant,
        *,
        actor: str,
    ) -> None:
        """Keep what an owner gave."""
        kind = "oauth" if isinstance(given, KeptGrant) else given.kind
        await credentials.give(
            tx, self.keyring, tenant, connection, kind=kind, secret=write_down(given), actor=actor
        )

    def access(self, database: Database, connection: Connection, *, actor: str) -> Access:
        tenant, spec = connection.tenant, self.spec_of(connection.kind)
        vault = Vault(database, self.keyring, tenant, connection.id, actor)
        return self.locksmith.access(spec, vault)

    @asynccontextmanager
    async def opened(
        self,
        database: Database,
        connection: Connection,
        *,
        actor: str,
        config: dict[str, Any] | None = None,
    ) -> AsyncGenerator[Connector]:
        """The source of a connection, or what it would be with this configuration."""
        spec = self.spec_of(connection.kind)
        try:
            stated = spec.config.model_validate(config or connection.config)
        except ValidationError as error:
            raise SourceInvalid("Its configuration is not valid any more.") from error
        access = self.access(database, connection, actor=actor)
        async with self.open(spec, stated, access) as connector:
            yield connector

    @asynccontextmanager
    async def open(
        self, spec: Spec, config: BaseModel, access: Access
    ) -> AsyncGenerator[Connector]:
        """A source that may be none of a connection yet, within what the operator allows."""
        async with AsyncExitStack() as opened:
            with excepting(self.egress):
                connector = await opened.enter_async_context(spec.open(config, access))
            yield connector

    def spec_of(self, kind: str) -> Spec:
        """Raises ``KindUnknown``."""
        return spec_of(kind) if self.specs is None else self.specs[kind]

    def stated(self, spec: Spec, config: Mapping[str, Any]) -> BaseModel:
        """A configuration with the operator's defaults. Raises pydantic's ``ValidationError``."""
        return spec.config.model_validate({**self.defaults.get(spec.kind, {}), **config})


def spec_of(kind: str) -> Spec:
    """Raises ``KindUnknown``."""
    spec = catalog.specs().get(kind)
    if spec is None:
        raise KindUnknown(kind, known=sorted(catalog.specs()))
    return spec
