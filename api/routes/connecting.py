"""What the connect page asks for: one owner's way from choosing a source to its first run.

Only the browser that opened the session's link gets an answer. These paths are the page's own.
"""

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError

from api import connectpage
from api.accounts import CredentialRequest
from api.browsers import browser_of, remember
from api.consenting import keep_connection
from api.disconnecting import as_credential
from api.doors import Doors, spec_of
from api.handlers import invalid_config
from api.looking import looking
from api.needs import open_to_all
from api.notices import Notice, noted
from api.problems import Code, Problem
from api.routes.runs import tell
from api.schemas import Config, Name
from api.schemas import Request as Wanted
from api.services import Handed, Services
from connectors import catalog
from connectors.access import Anonymous, Credential, CredentialKind, Given
from connectors.artifact import PartitionKey
from connectors.connector import Account, Scope, Spec
from storage import connecting, connections, runs
from storage.connecting import Session, SessionId, Step
from storage.connections import Connection
from storage.ids import ConnectionId

SCOPES_MOST = 2_000
WORKFLOW = "ingest"


def _uncached(response: Response) -> None:
    """Going back in the browser asks again: what was true before a provider was, is not now."""
    response.headers["Cache-Control"] = "no-store"


router = APIRouter(
    prefix="/connect/api/{session_id}",
    include_in_schema=False,
    dependencies=[
        open_to_all("the link's secret and the browser's cookie say whose session it is"),
        Depends(_uncached),
    ],
)
Keys = Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=SCOPES_MOST)]


class Entering(Wanted):
    secret: Annotated[str, Field(max_length=200)]


class Choosing(Wanted):
    kind: Name | None = None


class Giving(Wanted):
    config: Config
    credential: CredentialRequest | None = None


class Selecting(Wanted):
    """``chosen`` are keys of the scopes; null for all there is, also what comes later."""

    chosen: (
        Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=SCOPES_MOST)] | None
    ) = None


@router.post("/enter")
async def enter(session_id: UUID, wanted: Entering, services: Handed, request: Request) -> Response:
    """The link was opened here: from now on, the session is this browser's."""
    response = JSONResponse({}, headers={"Cache-Control": "no-store"})
    browser = remember(request, response, services)
    async with services.database.transaction() as tx:
        found = await connecting.enter(tx, SessionId(session_id), wanted.secret, browser=browser)
    if found is None:
        raise _not_yours()
    return response


async def _mine(session_id: UUID, services: Handed, request: Request) -> Session:
    browser = browser_of(request)
    if browser is not None:
        async with services.database.reading() as tx:
            session = await connecting.get(tx, SessionId(session_id), browser=browser)
        if session is not None:
            return session
    raise _not_yours()


Mine = Annotated[Session, Depends(_mine)]


@router.get("")
async def show(session: Mine, services: Handed) -> dict[str, Any]:
    """All that the page shows.

    Who went to a provider and is here again without an answer has left it; a tab in which they are
    still there may finish all the same.
    """
    async with services.database.reading() as tx:
        left = session.step is Step.CONSENTING and await connecting.pending(tx, session)
    if left:
        session = replace(session, notice=noted(Notice.CLOSED))
    connection = await _connection_or_none(services, session)
    return connectpage.shown(session, connection, services.doors.locksmith)


@router.post("/source")
async def choose(session: Mine, wanted: Choosing, services: Handed) -> dict[str, Any]:
    """Another source, or none yet. What was connected before stays connected."""
    if wanted.kind is not None and wanted.kind not in catalog.specs():
        raise Problem(Code.UNKNOWN_CONNECTOR, f"There is no connector named {wanted.kind!r}.")
    step = Step.CHOOSING if wanted.kind is None else Step.CONSENTING
    async with services.database.transaction() as tx:
        await connecting.drop(tx, session)
        session = await connecting.change(
            tx, session.id, kind=wanted.kind, step=step, notice=None, connection_id=None
        )
    return connectpage.shown(session, None, services.doors.locksmith)


@router.post("/connection")
async def give(session: Mine, wanted: Giving, services: Handed) -> dict[str, Any]:
    """A configuration, and a credential if the kind takes one: tried before they are kept."""
    spec = _kind(session)
    given = as_credential(wanted.credential) if wanted.credential else None
    if (given.kind if given else CredentialKind.NONE) not in spec.credentials:
        raise Problem(Code.INVALID_CONFIG, f"{spec.title} wants another kind of credential.")
    try:
        config = services.doors.stated(spec, wanted.config)
    except ValidationError as error:
        raise invalid_config(error) from None
    account = await _tried(services.doors, spec, config, given)
    async with services.database.transaction() as tx:
        stated = config.model_dump(mode="json")
        there = await keep_connection(tx, session, spec, account, stated)
        if given is not None:
            await services.doors.give(tx, there.tenant, there.id, given, actor="connect page")
        session = await connecting.change(
            tx, session.id, connection_id=there.id, step=Step.SELECTING, notice=None
        )
    return connectpage.shown(session, there, services.doors.locksmith)


@router.get("/scopes")
async def scopes(session: Mine, services: Handed) -> dict[str, Any]:
    """What there is to choose from, with sizes. Nothing of it is read."""
    connection = await _connection(services, session)
    found: list[Scope] = []
    async with (
        looking(),
        services.doors.opened(services.database, connection, actor="connect page") as connector,
    ):
        async for scope in connector.discover():
            found.append(scope)
            if len(found) == SCOPES_MOST:
                break
    return {
        "items": [connectpage.scope(each) for each in found],
        "more": len(found) == SCOPES_MOST,
        "narrows": spec_of(connection.kind).narrow is not None,
    }


@router.post("/estimate")
async def estimate(session: Mine, wanted: Selecting, services: Handed) -> dict[str, Any]:
    """What an ingestion of the chosen would come to, before anything is read."""
    connection = await _connection(services, session)
    config = _narrowed(connection, wanted.chosen)
    async with (
        looking(),
        services.doors.opened(
            services.database, connection, actor="connect page", config=config
        ) as connector,
    ):
        return connectpage.plan(await connector.plan())


@router.post("/start")
async def start(session: Mine, wanted: Selecting, services: Handed) -> dict[str, Any]:
    """Ingest the chosen, or join the run that is at it."""
    connection = await _connection(services, session)
    config = _narrowed(connection, wanted.chosen)
    async with services.database.transaction() as tx:
        if config != connection.config:
            changed = await connections.narrow(tx, session.tenant, connection, config)
            if changed is None:
                raise Problem(Code.INVALID_CONFIG, "Just this is connected already.")
            connection = changed
        run, _ = await runs.request(
            tx, session.tenant, connection=connection, workflow=WORKFLOW, input={}
        )
        session = await connecting.change(
            tx, session.id, step=Step.STARTED, run_id=run.id, notice=None
        )
    await tell(services, run.id)
    return connectpage.shown(session, connection, services.doors.locksmith)


async def _tried(
    doors: Doors, spec: Spec, config: BaseModel, given: Credential | None
) -> Account | None:
    access = Given(given or Anonymous(), spec.title)
    async with looking(), doors.open(spec, config, access) as connector:
        for probe in await connector.check():
            if not probe.well:
                raise Problem(Code.SOURCE_TROUBLE, f"{probe.detail}.", action=probe.action)
        return await connector.account()


def _narrowed(connection: Connection, chosen: list[str] | None) -> dict[str, Any]:
    narrow = spec_of(connection.kind).narrow
    if chosen is None or narrow is None:
        return dict(connection.config)
    if not chosen:
        raise Problem(Code.INVALID_REQUEST, "Nothing is chosen.", action="Choose something.")
    stated = spec_of(connection.kind).config.model_validate(connection.config)
    keys = [PartitionKey(each) for each in chosen]
    return narrow(stated, keys).model_dump(mode="json")


def _kind(session: Session) -> Spec:
    if session.kind is None:
        raise Problem(Code.INVALID_REQUEST, "No source is chosen yet.")
    return spec_of(session.kind)


async def _connection(services: Services, session: Session) -> Connection:
    connection = await _connection_or_none(services, session)
    if connection is None:
        raise Problem(Code.INVALID_REQUEST, "Nothing is connected yet.")
    return connection


async def _connection_or_none(services: Services, session: Session) -> Connection | None:
    if session.connection is None:
        return None
    async with services.database.reading() as tx:
        return await connections.get(tx, session.tenant, ConnectionId(session.connection))


def _not_yours() -> Problem:
    return Problem(
        Code.NOT_FOUND,
        "This link was opened in another browser, or is older than an hour.",
        action="Ask for a new link where you got this one.",
    )
