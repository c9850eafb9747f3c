"""``headwater disconnect``: revoke a grant, and erase every byte of a connection."""

import asyncio
import sys
from uuid import UUID

from rich.text import Text

from api import words
from api.attaching import StackSettings
from api.commands.clients import speak_to
from api.commands.ending import ExitCode, Trouble, messages
from api.commands.ids import connection_id
from api.commands.places import reach
from api.terminal import print_json

LOOK_SECONDS = 0.5


def run(*, connection: str, yes: bool, as_json: bool) -> int:
    which = connection_id(connection)
    if not yes:
        raise Trouble(
            "This erases everything that was ingested of the connection, for good.",
            action=f"If that is meant: headwater disconnect {which} --yes",
            code=ExitCode.USAGE,
        )
    return asyncio.run(_erase(which, as_json=as_json))


async def _erase(which: UUID, *, as_json: bool) -> ExitCode:
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        erasure = await client.erase(which)
        while place.alive and erasure.finished_at is None:
            await asyncio.sleep(LOOK_SECONDS)
            erasure = await client.erasure(erasure.id)
    if as_json:
        print_json(sys.stdout, erasure.model_dump(mode="json"))
        return ExitCode.DONE
    for line in words.erasure(erasure):
        messages().print(Text(line), soft_wrap=True)
    if erasure.finished_at is None:
        messages().print("Nothing runs here that would erase the rest: start `headwater up`.")
    return ExitCode.DONE
