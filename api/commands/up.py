"""``headwater up``: everything on this machine, until it is told to stop."""

import asyncio
import os
import time
from functools import partial

from rich.console import Console
from rich.text import Text

from api import doctor
from api.attaching import StackSettings, headwater_version
from api.commands.ending import ExitCode, messages
from api.commands.interrupts import interrupts
from api.parts import require_free
from api.settings import ApiSettings
from api.stack import Stack
from storage import keys, schema
from storage.database import open_database
from storage.datadir import DataDirectory, hold


def run(*, host: str, port: int) -> int:
    place = ApiSettings(host=host, port=port)
    settings = StackSettings()
    with hold(settings.home, headwater_version()) as directory:
        require_free(place.host, place.port)
        return asyncio.run(_up(settings, directory, place))


async def _up(settings: StackSettings, directory: DataDirectory, place: ApiSettings) -> ExitCode:
    say = partial(_say, messages())
    stack = Stack(
        settings, directory, environment=os.environ, host=place.host, port=place.port, tell=say
    )
    say(f"Headwater {headwater_version()}. Data in {settings.home}, logs in its folder logs.")
    with interrupts(again=stack.kill) as asked:
        try:
            await _admit(settings, place)
            await _serve(stack, settings, say)
        except asyncio.CancelledError:
            say("Stopping; runs are handed over and nothing is lost. Ctrl-C again ends at once.")
        finally:
            await stack.close()
        if asked.count > 1:
            return ExitCode.INTERRUPTED
    say("Stopped.")
    return ExitCode.DONE


async def _admit(settings: StackSettings, place: ApiSettings) -> None:
    """Where others can reach us, they need a key: refuse before anything is started."""
    if place.asks_for_keys:
        await schema.upgrade(settings.sql_url())
        async with open_database(settings.sql_url()) as database:
            await keys.require_any(database)


async def _serve(stack: Stack, settings: StackSettings, say: "partial[None]") -> None:
    began = time.monotonic()
    await stack.start()
    say(f"Open {stack.url} (answering after {time.monotonic() - began:.1f} s).")
    if "data_dir" in settings.model_fields_set:
        say(f"Commands in another terminal find it with HEADWATER_DATA_DIR={settings.home}")
    async for part in doctor.absent(settings):
        say(f"{part} Until then runs wait.")
    if settings.prefect_api_url is None:
        say("Prefect is starting; a run that is asked for now begins when it is ready.")
    await stack.ready()
    say(f"Everything is ready after {time.monotonic() - began:.1f} s. Ctrl-C stops it.")
    await stack.failed()


def _say(console: Console, sentence: str) -> None:
    console.print(Text(sentence), soft_wrap=True)
