"""``headwater watch RUN``: a run from where it is to its end."""

import asyncio
from uuid import UUID

from api.attaching import StackSettings
from api.client import AsyncClient
from api.commands.clients import speak_to
from api.commands.ending import AFTER_STATUS, ExitCode, Trouble
from api.commands.following import conclude, display_for, follow
from api.commands.ids import run_id
from api.commands.interrupts import interrupts
from api.commands.places import Place, reach


def run(*, run: str, as_json: bool) -> int:
    return asyncio.run(_watch(run_id(run), as_json=as_json))


async def _watch(run: UUID, *, as_json: bool) -> ExitCode:
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        await _require_alive(client, run, place)
        with display_for(as_json=as_json) as display, interrupts():
            try:
                await follow(client, run, display)
            except asyncio.CancelledError:
                display.say("The run goes on without being watched.")
                return ExitCode.INTERRUPTED
        receipt = await client.receipt(run)
    return conclude(receipt, as_json=as_json)


async def _require_alive(client: AsyncClient, run: UUID, place: Place) -> None:
    known = await client.run(run)
    if not place.alive and known.status not in AFTER_STATUS:
        raise Trouble(
            f"The run is {known.status}, and nothing is running that would go on with it.",
            action="Start `headwater up`.",
            code=ExitCode.CANNOT_RUN,
        )
