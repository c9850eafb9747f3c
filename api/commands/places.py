"""Where the api is that a command talks to: a running one, or one for the time of the command."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from api.attaching import StackSettings, headwater_version, running
from api.commands.ending import messages
from storage import datadir


@dataclass(frozen=True, slots=True)
class Place:
    """An api. Where nothing is ``alive``, it only tells what there is; no run goes on."""

    url: str
    alive: bool


@asynccontextmanager
async def reach(settings: StackSettings) -> AsyncGenerator[Place]:
    """The running api, or one of our own that only reads."""
    url = await running(settings)
    if url is not None:
        yield Place(url, alive=True)
        return
    # Where something runs already, as it mostly does, a command need not load all of this.
    from api.stack import Stack  # noqa: PLC0415

    with datadir.hold(settings.home, headwater_version()) as directory:
        said = messages()
        async with Stack(settings, directory, environment=os.environ, tell=said.print) as stack:
            await stack.start_reading()
            yield Place(stack.url, alive=False)
