"""What a run says: as it comes, or what there is now."""

from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from api.accept import best
from api.adapters import Channel
from api.encoding import Format
from api.needs import needs
from api.problems import Code, Problem
from api.routes.following import JSON, OFFERED, Asked, adapted, check, is_end, place_of
from api.services import Handed, Tenant
from api.stream import EventStream
from api.voices import Adapted, Native
from storage.errors import StreamUnavailable
from storage.events import State
from storage.ids import RunId, Seq
from storage.scopes import Scope

router = APIRouter(prefix="/v1", tags=["workflows"])


@router.get(
    "/runs/{run_id}/output",
    operation_id="follow_output",
    dependencies=[needs(Scope.RUNS_READ, stream=True)],
    summary="What a run says, from any point",
    response_class=Response,
)
async def output(
    *,
    run_id: UUID,
    services: Handed,
    tenant: Tenant,
    wanted: Asked,
) -> Response:
    """The same rules as for a run's events. As JSON: all that was said so far, and the result.

    `docs/events.md` tells the frames. What an attempt said is taken back by
    `attempt.superseded` if the attempt dies.
    """
    if wanted.protocol is not None:
        await check(services, tenant, RunId(run_id))
        voice = Adapted(wanted.protocol, Channel.OUTPUT, RunId(run_id))
        return adapted(services.outputs, tenant, voice, wanted.accept)
    media = best(wanted.accept, (JSON, *OFFERED))
    if media is None:
        raise Problem(Code.NOT_ACCEPTABLE, "Output comes as one of three types.")
    run, hub = RunId(run_id), services.outputs
    await check(services, tenant, run)
    if media == JSON:
        state, seq = await _now(services, run)
        headers = {"Cache-Control": "private, no-store", "Vary": "Accept"}
        return JSONResponse({**state, "seq": seq}, headers=headers)
    place = place_of(wanted.cursor)
    if place is not None and await is_end(hub, run, place):
        return Response(status_code=204, headers={"Cache-Control": "no-store"})
    return EventStream(hub, tenant, run, cursor=place, voice=Native(Format(media)))


async def _now(services: Handed, run: RunId) -> tuple[State, Seq | None]:
    pictures = services.outputs.pictures
    kept = await pictures.kept(run)
    if kept.ended_at is None and not services.outputs.away:
        try:
            live = await pictures.live(run)
        except StreamUnavailable:
            pass
        else:
            return live.state, live.as_of
    return kept.state, kept.ended_at
