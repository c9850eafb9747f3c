"""A run's events, as the client wants them: as they come, or what there is now."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import JSONResponse

from api.accept import best
from api.adapters import HEADERS, Channel, Protocol
from api.encoding import Format, described
from api.hub import Hub
from api.needs import needs
from api.problems import Code, Problem
from api.resume import Place, catch_up
from api.routes.runs import found
from api.services import Handed, Services, Tenant
from api.stream import EventStream
from api.voices import Adapted, Native
from storage.errors import StreamUnavailable
from storage.events import Position
from storage.ids import RunId, Seq, TenantId
from storage.keys import Scope

router = APIRouter(prefix="/v1", tags=["runs"])
JSON = "application/json"
OFFERED = (Format.SSE.value, Format.NDJSON.value, JSON)
HIGHEST = 2**63 - 1

Foreign = Annotated[
    Protocol | None,
    Query(alias="format", description="In another protocol, as server-sent events, from the state"),
]


@router.get(
    "/runs/{run_id}/events",
    operation_id="follow_run",
    dependencies=[needs(Scope.RUNS_READ, stream=True)],
    summary="What happens in a run, from any point",
    response_class=Response,
)
async def events(
    *,
    run_id: UUID,
    services: Handed,
    tenant: Tenant,
    accept: Annotated[str | None, Header(description="How the frames come")] = None,
    last_event_id: Annotated[
        str | None, Header(description="The `seq` of the last event seen: go on after it")
    ] = None,
    cursor: Annotated[
        str | None, Query(description="The same, where headers cannot be set")
    ] = None,
    protocol: Foreign = None,
) -> Response:
    """A snapshot, then what follows; with a cursor, what follows it, or a gap and a snapshot.

    At the run's end the answer is 204. `docs/events.md` tells the frames.
    """
    if protocol is not None:
        await check(services, tenant, RunId(run_id))
        voice = Adapted(protocol, Channel.EVENTS, RunId(run_id))
        return adapted(services.hub, tenant, voice, accept)
    media = best(accept, OFFERED)
    if media is None:
        raise Problem(Code.NOT_ACCEPTABLE, "Events come as one of three types.")
    place = place_of(last_event_id or cursor)
    run = RunId(run_id)
    await check(services, tenant, run)
    if place is not None and await is_end(services.hub, run, place):
        return Response(status_code=204, headers={"Cache-Control": "no-store"})
    if media == JSON:
        return await _now(services.hub, run, place)
    return EventStream(services.hub, tenant, run, cursor=place, voice=Native(Format(media)))


def adapted(hub: Hub, tenant: TenantId, voice: Adapted, accept: str | None) -> Response:
    """Every such stream begins with the whole state: their clients have no place to go on from."""
    if best(accept, [Format.SSE.value]) is None:
        raise Problem(Code.NOT_ACCEPTABLE, "That protocol comes as server-sent events alone.")
    headers = HEADERS[voice.protocol]
    return EventStream(hub, tenant, voice.run, cursor=None, voice=voice, headers=headers)


async def check(services: Services, tenant: TenantId, run: RunId) -> None:
    """Raise unless there is such a run, asking the database only if nobody here listens to it."""
    if services.hub.serves(tenant, run):
        return
    async with services.pictures.turn, services.database.reading() as tx:
        await found(tx, tenant, run)


async def _now(hub: Hub, run: RunId, cursor: Seq | None) -> Response:
    """What follows the cursor, without waiting for more."""
    frames, place = await frames_now(hub, run, cursor)
    body = {"frames": frames, "cursor": place.cursor, "ended": place.ended}
    return JSONResponse(body, headers={"Cache-Control": "private, no-store", "Vary": "Accept"})


async def frames_now(
    hub: Hub, run: RunId, cursor: Seq | None
) -> tuple[list[dict[str, Any]], Place]:
    """The frames that follow the cursor, and where they leave their reader."""
    place = Place(cursor)
    frames: list[dict[str, Any]] = []
    try:
        async for frame in catch_up(hub.pictures, run, place, away=hub.away):
            kind, fields = described(frame)
            frames.append({"type": kind, **fields})
    except StreamUnavailable:
        kept = await hub.pictures.kept(run)
        over = kept.ended_at is not None
        frames = [{"type": "snapshot", "seq": kept.ended_at, "state": kept.state, "ended": over}]
        place = Place(cursor)  # what came before Redis went is not sent
        if missed := place.before(kept.ended_at):
            kind, fields = described(missed)
            frames.insert(0, {"type": kind, **fields})
        place.take(kept.ended_at, ends=over)
    return frames, place


async def is_end(hub: Hub, run: RunId, cursor: Seq) -> bool:
    """Whether the reader has been told all there ever will be."""
    if not hub.away:
        try:
            position = await _position(hub, run)
            if position is not None and position.ended and position.seq == cursor:
                await hub.pictures.mend(run)  # a restored run that goes on has not come to it
                position = await _position(hub, run)
        except StreamUnavailable:
            pass
        else:
            if position is not None and position.seq >= cursor:
                return position.ended and position.seq == cursor
            # It may have been told the end from SQL, at a place that the stream has not come to.
    return (await hub.pictures.kept(run)).ended_at == cursor


async def _position(hub: Hub, run: RunId) -> Position | None:
    async with hub.pictures.turn:
        return await hub.pictures.log.position(run)


def place_of(cursor: str | None) -> Seq | None:
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdigit()) or int(cursor[:20]) > HIGHEST:
        raise Problem(
            Code.INVALID_CURSOR,
            "A cursor of events is the `seq` of one, a whole number.",
            action="Send the id of the last event you saw, or none.",
        )
    return Seq(int(cursor))
