"""Ways for owners to connect an account in a browser, made by a product's own server."""

from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Request, Response

from api.accounts import ConnectSessionMade, ConnectSessionRequest, ConnectSessionView
from api.belonging import owner_of
from api.browsers import here
from api.needs import needs
from api.once import Answer, Repeatable
from api.problems import Code, Problem
from api.routes.connections import found
from api.services import Asking, Handed, Services, Tenant
from connectors import catalog
from storage import connecting, tenants
from storage.connecting import Session, SessionId
from storage.database import Tx
from storage.ids import ConnectionId
from storage.scopes import Scope

router = APIRouter(prefix="/v1/connect-sessions", tags=["connections"])


@router.post(
    "",
    operation_id="begin_connecting",
    dependencies=[needs(Scope.CONNECTIONS_WRITE)],
    summary="A link to the connect page, for one owner",
    status_code=201,
    response_model=ConnectSessionMade,
)
async def begin(
    wanted: ConnectSessionRequest,
    services: Handed,
    asking: Asking,
    request: Request,
    once: Repeatable,
) -> Response:
    """The link is good for an hour, and for the first browser that opens it."""
    _check(wanted, services)
    tenant = asking.tenant
    owner_of(asking, wanted.owner)  # raises, if it is another one's

    async def work(tx: Tx) -> Answer:
        await tenants.settle(tx, tenant)
        kind, connection = wanted.kind, None
        if wanted.connection_id is not None:
            there = await found(tx, tenant, wanted.connection_id)
            if there.owner != wanted.owner:
                detail = f"There is no connection {wanted.connection_id} of this owner."
                raise Problem(Code.NOT_FOUND, detail)
            kind, connection = there.kind, ConnectionId(there.id)
        session, secret = await connecting.begin(
            tx,
            tenant,
            owner=wanted.owner,
            kind=kind,
            connection=connection,
            return_to=wanted.return_to,
        )
        # After the number sign: no server, log or referrer ever sees it.
        url = f"{here(request, services)}/connect#{session.id}.{secret}"
        made = ConnectSessionMade(**view(session).model_dump(), url=url)
        headers = {"Location": f"/v1/connect-sessions/{session.id}"}
        return Answer(201, headers, made.model_dump(mode="json"))

    return await once.do(work, body=wanted)


@router.get(
    "/{session_id}",
    operation_id="get_connecting",
    dependencies=[needs(Scope.CONNECTIONS_READ)],
    summary="How far an owner has come",
)
async def one(session_id: UUID, services: Handed, tenant: Tenant) -> ConnectSessionView:
    async with services.database.reading() as tx:
        session = await connecting.show(tx, tenant, SessionId(session_id))
    if session is None:
        raise Problem(Code.NOT_FOUND, f"There is no connect session {session_id}.")
    return view(session)


def view(session: Session) -> ConnectSessionView:
    return ConnectSessionView(
        id=session.id,
        owner=session.owner,
        kind=session.kind,
        step=session.step,
        connection_id=session.connection,
        run_id=session.run,
        expires_at=session.expires_at,
    )


def _check(wanted: ConnectSessionRequest, services: Services) -> None:
    if wanted.kind is not None and wanted.kind not in catalog.specs():
        raise Problem(Code.UNKNOWN_CONNECTOR, f"There is no connector named {wanted.kind!r}.")
    if wanted.return_to is None:
        return
    url = urlsplit(wanted.return_to)
    if f"{url.scheme}://{url.netloc}" not in services.doors.return_origins:
        raise Problem(
            Code.INVALID_REQUEST,
            "return_to: its origin is not in HEADWATER_RETURN_ORIGINS.",
            action="Let the operator add it, or leave it out.",
        )
