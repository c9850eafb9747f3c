"""``headwater cancel``, ``pause``, ``resume`` and ``retry``: what can be asked of a run."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from rich.text import Text

from api.attaching import StackSettings
from api.client import AsyncClient
from api.commands.clients import speak_to
from api.commands.ending import ExitCode, messages
from api.commands.ids import run_id
from api.commands.places import reach
from api.schemas import RunView
from api.terminal import print_json

ASKS: Mapping[str, Callable[[AsyncClient, UUID], Awaitable[RunView]]] = {
    "cancel": AsyncClient.cancel,
    "pause": AsyncClient.pause,
    "resume": AsyncClient.resume,
}
WISHED = {
    "cancel": "Cancelling: its worker stops at the next step. What was indexed is kept.",
    "pause": "Pausing: its worker stops at the next step.",
}
IS = {
    "cancelled": "Cancelled. What was indexed is kept.",
    "paused": "Paused. Go on with it: headwater resume {run}",
    "queued": "It goes on as soon as a worker is free. Watch it: headwater watch {run}",
}
NOBODY = "Nothing runs here that would do it: start `headwater up`."


def run(*, ask: str, run: str, as_json: bool) -> int:
    wanted = run_id(run)
    if ask == "retry":
        return asyncio.run(_retry(wanted, as_json=as_json))
    return asyncio.run(_ask(ask, wanted, as_json=as_json))


async def _ask(ask: str, run: UUID, *, as_json: bool) -> ExitCode:
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        answer = await ASKS[ask](client, run)
    if as_json:
        print_json(sys.stdout, answer.model_dump(mode="json"))
    else:
        _say(_sentence(answer))
    if not place.alive and (answer.wish or answer.status == "queued"):
        _say(NOBODY)
    return ExitCode.DONE


async def _retry(run: UUID, *, as_json: bool) -> ExitCode:
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        new = (await client.retry_failed(run)).run
    if as_json:
        print_json(sys.stdout, new.model_dump(mode="json"))
    else:
        print(new.id)  # noqa: T201  # the data of this command
        _say(f"Watch it: headwater watch {new.id}" if place.alive else NOBODY)
    return ExitCode.DONE


def _sentence(run: RunView) -> str:
    told = WISHED.get(run.wish or "") or IS.get(run.status, f"The run is {run.status}.")
    return told.format(run=run.id)


def _say(sentence: str) -> None:
    messages().print(Text(sentence), soft_wrap=True)
