"""``headwater deletions``: what may be gone from its source, and saying whether it is."""

import asyncio
import sys
from uuid import UUID

from rich.console import Console
from rich.text import Text

from api import words
from api.attaching import StackSettings
from api.commands.clients import speak_to
from api.commands.ending import ExitCode, messages
from api.commands.ids import deletion_id
from api.commands.places import reach
from api.terminal import print_json


def run(*, what: str, deletion: str | None, as_json: bool) -> int:
    if deletion is None:
        return asyncio.run(_list(as_json=as_json))
    return asyncio.run(_decide(what, deletion_id(deletion), as_json=as_json))


async def _list(*, as_json: bool) -> ExitCode:
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        found = [each async for each in client.deletions()]
    for each in found:
        if as_json:
            print_json(sys.stdout, each.model_dump(mode="json"))
        else:
            line = f"{each.id}  {words.deletion(each)}"
            Console(highlight=False).print(Text(line), soft_wrap=True)
    if not found:
        messages().print("Nothing waits for a decision.")
    return ExitCode.DONE


async def _decide(what: str, which: UUID, *, as_json: bool) -> ExitCode:
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        decided = await client.decide_deletion(which, what)
    if as_json:
        print_json(sys.stdout, decided.model_dump(mode="json"))
    elif what == "approve":
        messages().print(
            f"{decided.hidden:,} are found by nobody now, and purged in a week. If a listing "
            "names them before, they come back."
        )
    else:
        messages().print("They are kept. The next listing that lacks them asks again.")
    return ExitCode.DONE
