"""A run's events, as the client wants them: as they come, or what there is now."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from api.accept import best
from api.adapters import Channel
from api.encoding import Format, described
from api.hub import Hub
from api.needs import needs
from api.problems import Code, Problem
from api.resume import Place, catch_up
from api.routes.following import JSON, OFFERED, Asked, adapted, check, is_end, place_of
from api.services import Handed, Tenant
from api.stream import EventStream
from api.voices import Adapted, Native
from storage.errors import StreamUnavailable
from storage.ids import RunId, Seq
from storage.scopes import Scope

router = APIRouter(prefix="/v1", tags=["runs"])


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
    wanted: Asked,
) -> Response:
    """A snapshot, then what follows; with a cursor, what follows it, or a gap and a snapshot.

    At the run's end the answer is 204. `docs/events.md` tells the frames.
    """
    if wanted.protocol is not None:
        await check(services, tenant, RunId(run_id))
        voice = Adapted(wanted.protocol, Channel.EVENTS, RunId(run_id))
        return adapted(services.hub, tenant, voice, wanted.accept)
    media = best(wanted.accept, OFFERED)
    if media is None:
        raise Problem(Code.NOT_ACCEPTABLE, "Events come as one of three types.")
    place = place_of(wanted.cursor)
    run = RunId(run_id)
    await check(services, tenant, run)
    if place is not None and await is_end(services.hub, run, place):
        return Response(status_code=204, headers={"Cache-Control": "no-store"})
    if media == JSON:
        return await _now(services.hub, run, place)
    return EventStream(services.hub, tenant, run, cursor=place, voice=Native(Format(media)))


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
