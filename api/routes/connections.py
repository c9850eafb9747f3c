"""What can be connected, and what is."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import ValidationError

from api.accounts import (
    AuditPage,
    AuditView,
    ConnectionRequest,
    ConnectionView,
    ConnectorView,
    CredentialView,
    Disconnected,
)
from api.belonging import owner_of
from api.disconnecting import as_credential, disconnect
from api.handlers import invalid_config
from api.needs import needs
from api.once import Answer, Repeatable
from api.pagination import Paged
from api.problems import Code, Problem
from api.schemas import NO_NUL, Page
from api.services import Asking, Handed, Tenant
from api.waking import tell_woken, wake
from connectors import catalog
from connectors.access import Credential
from storage import audit, connections, credentials, tenants
from storage.connections import Connection
from storage.credentials import State
from storage.database import Tx
from storage.ids import ConnectionId, RunId, TenantId
from storage.scopes import Scope

router = APIRouter(prefix="/v1", tags=["connections"])
MASK = "***"


@router.get(
    "/connectors",
    operation_id="list_connectors",
    dependencies=[needs(Scope.CONNECTIONS_READ)],
    summary="What can be connected",
)
async def kinds() -> Page[ConnectorView]:
    return Page(
        items=[
            ConnectorView(
                kind=spec.kind,
                title=spec.title,
                description=spec.description,
                config_schema=spec.config.model_json_schema(),
                credentials=sorted(spec.credentials),
            )
            for spec in catalog.specs().values()
        ]
    )


@router.post(
    "/connections",
    operation_id="connect",
    dependencies=[needs(Scope.CONNECTIONS_WRITE)],
    summary="Connect a source",
    status_code=201,
    response_model=ConnectionView,
)
async def connect(
    wanted: ConnectionRequest, services: Handed, asking: Asking, once: Repeatable
) -> Response:
    """Connecting the same source again answers 200 with the connection that is there.

    A ``credential`` replaces the one there was, and runs that waited for it go on.
    """
    tenant, named = asking.tenant, "owner" in wanted.model_fields_set
    owner = owner_of(asking, wanted.owner if named else None) or wanted.owner
    config, given = _checked(wanted), _credential(wanted)
    woken: list[RunId] = []

    async def work(tx: Tx) -> Answer:
        await tenants.settle(tx, tenant)
        connection, created = await connections.connect(
            tx,
            tenant,
            owner=owner,
            kind=wanted.kind,
            title=wanted.title or _title(wanted.kind, config),
            config=config,
        )
        if given is not None:
            await services.doors.give(tx, tenant, connection.id, given, actor="api")
            woken.extend(await wake(tx, tenant, connection.id))
        headers = {"Location": f"/v1/connections/{connection.id}"}
        view = (await _shown(tx, tenant, [connection]))[0]
        return Answer(201 if created else 200, headers, view.model_dump(mode="json"))

    answer = await once.do(work, body=wanted)
    await tell_woken(services, woken)
    return answer


@router.get(
    "/connections",
    operation_id="list_connections",
    dependencies=[needs(Scope.CONNECTIONS_READ)],
    summary="What is connected",
)
async def page(
    services: Handed,
    asking: Asking,
    paging: Paged,
    owner: Annotated[str | None, Query(max_length=200, pattern=NO_NUL)] = None,
) -> Page[ConnectionView]:
    tenant, owner = asking.tenant, owner_of(asking, owner)
    listing = f"connections:{tenant}:{owner}"
    async with services.database.reading() as tx:
        rows = await connections.page(
            tx,
            tenant,
            owner=owner,
            after=paging.after(listing, ConnectionId),
            limit=paging.more,
        )
        some, next_cursor = paging.cut(listing, rows, lambda row: row.id)
        items = await _shown(tx, tenant, some)
    return Page(items=items, next_cursor=next_cursor)


@router.get(
    "/connections/{connection_id}",
    operation_id="get_connection",
    dependencies=[needs(Scope.CONNECTIONS_READ)],
    summary="A connection",
)
async def one(connection_id: UUID, services: Handed, tenant: Tenant) -> ConnectionView:
    async with services.database.reading() as tx:
        return (await _shown(tx, tenant, [await found(tx, tenant, connection_id)]))[0]


@router.get(
    "/connections/{connection_id}/audit",
    operation_id="list_audit",
    dependencies=[needs(Scope.CONNECTIONS_READ)],
    summary="What was done with a connection's credential",
)
async def told(connection_id: UUID, services: Handed, tenant: Tenant) -> AuditPage:
    """The newest 200, in order. They outlive the connection."""
    async with services.database.reading() as tx:
        entries = await audit.of_connection(tx, tenant, ConnectionId(connection_id))
    return AuditPage(items=[AuditView.model_validate(each) for each in entries])


@router.delete(
    "/connections/{connection_id}/credential",
    operation_id="disconnect",
    dependencies=[needs(Scope.CONNECTIONS_WRITE)],
    summary="Give access back: revoke the grant at its provider and delete the credential",
)
async def give_back(connection_id: UUID, services: Handed, tenant: Tenant) -> Disconnected:
    """What was ingested stays. Doing it again changes nothing."""
    async with services.database.reading() as tx:
        connection = await found(tx, tenant, connection_id)
    return await disconnect(services, connection)


async def found(tx: Tx, tenant: TenantId, connection_id: UUID) -> Connection:
    connection = await connections.get(tx, tenant, ConnectionId(connection_id))
    if connection is None:
        raise Problem(Code.NOT_FOUND, f"There is no connection {connection_id}.")
    return connection


async def _shown(tx: Tx, tenant: TenantId, some: Sequence[Connection]) -> list[ConnectionView]:
    states = await credentials.states(tx, tenant, [each.id for each in some])
    return [shown(each, states.get(each.id)) for each in some]


def shown(connection: Connection, state: State | None = None) -> ConnectionView:
    return ConnectionView(
        id=connection.id,
        kind=connection.kind,
        owner=connection.owner,
        title=connection.title,
        config=masked(connection.kind, connection.config),
        profile=None if connection.profile is None else dict(connection.profile),
        created_at=connection.created_at,
        credential=None if state is None else CredentialView(kind=state.kind, needs=state.dead),
    )


def masked(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Without what its connector calls a secret."""
    spec = catalog.specs().get(kind)
    secrets = frozenset[str]() if spec is None else spec.secrets
    return {name: MASK if name in secrets else value for name, value in config.items()}


def _checked(wanted: ConnectionRequest) -> dict[str, Any]:
    """The configuration as its connector understands it, with its defaults filled in."""
    if wanted.kind not in catalog.specs():
        raise Problem(Code.UNKNOWN_CONNECTOR, f"There is no connector named {wanted.kind!r}.")
    try:
        return catalog.parse(wanted.kind, wanted.config).model_dump(mode="json")
    except ValidationError as error:
        raise invalid_config(error) from None


def _credential(wanted: ConnectionRequest) -> Credential | None:
    if wanted.credential is None:
        return None
    taken = catalog.specs()[wanted.kind].credentials
    if wanted.credential.kind not in taken:
        takes = ", ".join(sorted(taken))
        detail = f"{wanted.kind} takes no {wanted.credential.kind}, but: {takes}."
        raise Problem(Code.INVALID_CONFIG, detail)
    return as_credential(wanted.credential)


def _title(kind: str, config: dict[str, Any]) -> str:
    """A name for what nobody named: the first thing the configuration says, else the kind."""
    first = next((value for value in config.values() if isinstance(value, str) and value), kind)
    return first.rstrip("/").rpartition("/")[2][:500] or first[:500]
