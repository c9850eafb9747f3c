"""``headwater schedule``: when connections are ingested by themselves."""

import asyncio
import re
import sys
from collections.abc import Sequence
from uuid import UUID

from rich.console import Console
from rich.text import Text

from api import words
from api.attaching import StackSettings
from api.commands.clients import speak_to
from api.commands.ending import ExitCode, Trouble, messages
from api.commands.ids import connection_id
from api.commands.places import reach
from api.scheduling import ScheduleHistory, ScheduleView
from api.terminal import print_json

SPAN = re.compile(r"(\d{1,9})\s*([smhd]?)", re.ASCII)
SECONDS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
SHOWN = 10


def run(
    *,
    what: str,
    connection: str | None,
    as_json: bool,
    cron: str | None = None,
    zone: str = "UTC",
    every: str | None = None,
    jitter: str = "0s",
) -> int:
    if connection is None:
        return asyncio.run(_list(as_json=as_json))
    which = connection_id(connection)
    if what != "set":
        return asyncio.run(_ask(what, which, as_json=as_json))
    wanted: dict[str, object] = {
        "cron": cron,
        "time_zone": zone,
        "interval_seconds": None if every is None else seconds(every),
        "jitter_seconds": seconds(jitter),
    }
    return asyncio.run(_put(which, wanted, as_json=as_json))


def seconds(text: str) -> int:
    """Of ``90``, ``90s``, ``15m``, ``6h``, ``1d``. Raises ``Trouble``."""
    match = SPAN.fullmatch(text.strip())
    if match is None:
        raise Trouble(
            f"{text!r} is no span of time.",
            action="Say it as 30s, 15m, 6h or 1d.",
            code=ExitCode.USAGE,
        )
    return int(match[1]) * SECONDS[match[2]]


async def _put(which: UUID, wanted: dict[str, object], *, as_json: bool) -> ExitCode:
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        kept = await client.put_schedule(which, wanted)
    _tell([kept], as_json=as_json)
    if not place.alive:
        messages().print("It comes to its ticks while `headwater up` runs.")
    return ExitCode.DONE


async def _ask(what: str, which: UUID, *, as_json: bool) -> ExitCode:
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        match what:
            case "remove":
                await client.delete_schedule(which)
                return ExitCode.DONE
            case "show":
                answer: ScheduleView = await client.schedule(which)
            case _:
                answer = await client.ask_schedule(which, what)
    _tell([answer], as_json=as_json)
    return ExitCode.DONE


async def _list(*, as_json: bool) -> ExitCode:
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        found = [each async for each in client.schedules()]
    _tell(found, as_json=as_json)
    if not found:
        messages().print("Nothing is scheduled: headwater schedule set CONNECTION --every 6h")
    return ExitCode.DONE


def _tell(found: Sequence[ScheduleView], *, as_json: bool) -> None:
    out = Console(highlight=False)
    for each in found:
        if as_json:
            print_json(sys.stdout, each.model_dump(mode="json"))
            continue
        out.print(Text(f"{each.connection_id}  {words.schedule(each)}"), soft_wrap=True)
        if isinstance(each, ScheduleHistory):
            for tick in each.recent[:SHOWN]:
                out.print(Text(f"  {words.tick(tick)}"), soft_wrap=True)
