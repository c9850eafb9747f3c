"""How a client wants to follow a run: in which form, from which place."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Query, Response

from api.accept import best
from api.adapters import HEADERS, Protocol
from api.encoding import Format
from api.hub import Hub
from api.problems import Code, Problem
from api.routes.runs import found
from api.services import Services
from api.stream import EventStream
from api.voices import Adapted
from storage.errors import StreamUnavailable
from storage.events import Position
from storage.ids import RunId, Seq, TenantId

JSON = "application/json"
OFFERED = (Format.SSE.value, Format.NDJSON.value, JSON)
HIGHEST = 2**63 - 1

Foreign = Annotated[
    Protocol | None,
    Query(alias="format", description="In another protocol, as server-sent events, from the state"),
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """``cursor`` is as it was sent; ``place_of`` reads it."""

    accept: str | None
    cursor: str | None
    protocol: Protocol | None


def _wanted(
    *,
    accept: Annotated[str | None, Header(description="How the frames come")] = None,
    last_event_id: Annotated[
        str | None, Header(description="The `seq` of the last event seen: go on after it")
    ] = None,
    cursor: Annotated[
        str | None, Query(description="The same, where headers cannot be set")
    ] = None,
    protocol: Foreign = None,
) -> Wanted:
    return Wanted(accept, last_event_id or cursor, protocol)


Asked = Annotated[Wanted, Depends(_wanted)]


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
