"""``headwater runs``: what was asked for, newest first."""

import asyncio
import sys
from datetime import datetime

from rich.console import Console
from rich.text import Text

from api import words
from api.attaching import StackSettings
from api.commands.clients import speak_to
from api.commands.ending import ExitCode, messages
from api.commands.places import reach
from api.schemas import RunView
from api.terminal import print_json


def run(*, limit: int, as_json: bool) -> int:
    found = asyncio.run(_runs(limit))
    if as_json:
        for each in found:
            print_json(sys.stdout, each.model_dump(mode="json"))
    elif found:
        _print(found)
    else:
        messages().print("No runs yet. Start one: headwater ingest .")
    return ExitCode.DONE


async def _runs(limit: int) -> list[RunView]:
    found: list[RunView] = []
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        async for each in client.runs():
            found.append(each)
            if len(found) == limit:
                break
    return found


def _print(found: list[RunView]) -> None:
    out = Console(highlight=False)
    width = max(len(each.status) for each in found)
    for each in found:
        cells = (
            str(each.id),
            f"{each.status.replace('_', ' '):<{width}}",
            _when(each.created_at),
            words.clean(each.title),
            words.outcomes(each.counts),
        )
        out.print(Text("  ".join(cells)), soft_wrap=True)


def _when(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"
