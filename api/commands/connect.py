"""``headwater connect`` and ``connections``: accounts, from the command line to the browser."""

import asyncio
import sys

from rich.console import Console
from rich.text import Text

from api import words
from api.accounts import ConnectionView
from api.attaching import StackSettings, running
from api.commands.clients import speak_to
from api.commands.ending import ExitCode, Trouble, messages
from api.commands.places import reach
from api.terminal import print_json


def run(*, what: str, kind: str | None, owner: str, as_json: bool) -> int:
    if what == "list":
        return asyncio.run(_list(as_json=as_json))
    return asyncio.run(_connect(kind, owner, as_json=as_json))


async def _connect(kind: str | None, owner: str, *, as_json: bool) -> ExitCode:
    url = await running(StackSettings())
    if url is None:
        raise Trouble(
            "Connecting an account needs a Headwater that goes on, and none runs here.",
            action="Start `headwater up` in another terminal.",
            code=ExitCode.CANNOT_RUN,
        )
    async with speak_to(url) as client:
        made = await client.begin_connecting(owner=owner, kind=kind)
    if as_json:
        print_json(sys.stdout, made.model_dump(mode="json"))
        return ExitCode.DONE
    messages().print("Open this in your browser; it is good for an hour, and for one browser:")
    print(made.url)  # noqa: T201  # the data of this command
    return ExitCode.DONE


async def _list(*, as_json: bool) -> ExitCode:
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        found = [each async for each in client.connections()]
    if as_json:
        for each in found:
            print_json(sys.stdout, each.model_dump(mode="json"))
    elif found:
        _print(found)
    else:
        messages().print("Nothing is connected yet: headwater connect, or headwater ingest .")
    return ExitCode.DONE


def _print(found: list[ConnectionView]) -> None:
    out = Console(highlight=False)
    width = max(len(each.kind) for each in found)
    for each in found:
        credential = each.credential
        state = "" if credential is None else credential.needs or credential.kind
        cells = (
            str(each.id),
            f"{each.kind:<{width}}",
            words.clean(each.owner),
            words.clean(each.title),
            state.replace("_", " "),
        )
        out.print(Text("  ".join(cells).rstrip()), soft_wrap=True)
