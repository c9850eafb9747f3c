"""Opening the source of a run with the credential of its owner, and asking them when it is dead."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar, cast

from pydantic import ValidationError

from connectors import egress
from connectors.access import Access, Anonymous, Given
from connectors.artifact import PartitionKey, Ref
from connectors.connector import Account, Connector, Fetched, Plan, Probe, Scope, Spec
from connectors.errors import KindUnknown, ReauthorizationNeeded, SourceInvalid
from connectors.events import CensusEvent, Cursor, Event
from connectors.keeping import KeptAccess
from connectors.locksmith import needs_credential
from pipelines.errors import MustWait
from pipelines.flows.ingestion import Backlog, Ingestion
from pipelines.flows.isolation import is_suspect
from pipelines.runtime import Work
from storage import artifacts, credentials
from storage.clock import shared_now
from storage.credentials import Vault
from storage.database import Tx
from storage.events import WaitingReason

LOOK_AGAIN = timedelta(hours=1)
"""For a connection that never had a credential: no row of it orders us and its owner."""

T = TypeVar("T")


@asynccontextmanager
async def open_source(work: Work) -> AsyncGenerator[Ingestion]:
    kind = work.connection.kind
    spec = work.services.specs.get(kind)
    if spec is None:
        raise KindUnknown(kind, known=sorted(work.services.specs))
    try:
        config = spec.config.model_validate(work.connection.config)
    except ValidationError as error:
        action = "Connect the source again."
        raise SourceInvalid("Its configuration is not valid any more.", action=action) from error
    async with work.database.reading() as tx:
        waiting = await artifacts.backlog(tx, work.connection.id)
        work.progress.searchable = await artifacts.searchable(tx, work.connection.id)
    access = _access(work, spec)
    async with AsyncExitStack() as opened:
        with egress.excepting(work.services.settings.egress):
            connector = await opened.enter_async_context(spec.open(config, access))
        ingestion = Ingestion(work, spec, Asking(connector, access), Backlog(waiting))
        if is_suspect(ingestion):
            ingestion.lanes = 1  # so that what kills is not lost among what does not
        yield ingestion


async def look_again(tx: Tx, work: Work) -> datetime | None:
    """When a run that waits for its owner looks again by itself: at once if they were faster.

    In the transaction that lets the run go, and with the credential locked: an owner who gives
    another one comes either before this, and is seen, or after it, and wakes the run.
    """
    state = await credentials.hold(tx, work.run.tenant, work.connection.id)
    if state is None:
        return await shared_now(tx) + LOOK_AGAIN
    return None if state.dead else await shared_now(tx)


def _access(work: Work, spec: Spec) -> Access:
    if not needs_credential(spec):
        return Given(Anonymous(), spec.title)
    services, connection = work.services, work.connection
    actor = f"run:{work.run.id}"
    vault = Vault(services.database, services.keyring(), connection.tenant, connection.id, actor)
    return services.locksmith.access(spec, vault)


@dataclass(frozen=True, slots=True)
class Asking:
    """A connector whose dead credential is a wait for its owner, wherever it is found out."""

    connector: Connector
    access: Access

    async def check(self) -> Sequence[Probe]:
        return await self.connector.check()

    async def account(self) -> Account | None:
        return await self.connector.account()

    async def discover(self) -> AsyncIterator[Scope]:
        async for scope in self.connector.discover():
            yield scope

    async def plan(self) -> Plan:
        try:
            return await self.connector.plan()
        except ReauthorizationNeeded as error:
            raise await self._wait(error) from error

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        async for event in self._all(self.connector.read(partition, cursor)):
            yield event

    async def census(self, partition: PartitionKey) -> AsyncIterator[CensusEvent]:
        async for event in self._all(self.connector.census(partition)):
            yield event

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        try:
            fetched = await self.connector.fetch(refs)
        except ReauthorizationNeeded as error:
            raise await self._wait(error) from error
        for body in fetched.values():
            if isinstance(body, ReauthorizationNeeded):
                raise await self._wait(body) from body
        return fetched

    async def _all(self, events: AsyncIterator[T]) -> AsyncIterator[T]:
        try:
            async with aclosing(cast("AsyncGenerator[T]", events)):
                async for event in events:
                    yield event
        except ReauthorizationNeeded as error:
            raise await self._wait(error) from error

    async def _wait(self, error: ReauthorizationNeeded) -> MustWait:
        if isinstance(self.access, KeptAccess):
            await self.access.bury(error)
        reason = WaitingReason.REAUTHORIZATION
        return MustWait(reason, f"{error}.", action=error.action, until=None)
