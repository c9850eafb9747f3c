"""``headwater ingest SOURCE``: on the Headwater that runs, else on one for as long as it takes."""

import asyncio
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from rich.text import Text

from api import doctor
from api.attaching import StackSettings, headwater_version, running
from api.client import AsyncClient, ServerAway
from api.commands import sources
from api.commands.clients import speak_to
from api.commands.ending import ExitCode, Trouble, messages
from api.commands.following import conclude, display_for, first, follow
from api.commands.interrupts import interrupts
from api.schemas import ReceiptView
from api.stack import Stack
from api.terminal import Display, print_json
from storage.datadir import hold

PATIENCE_SECONDS = 15.0
"""A stack that is restarted is back by then; one that was stopped will not come back."""

STARTING = "Starting Headwater; the first time takes about 20 s."
WAITING = "Prefect is starting; the run begins when it is ready."
STOPPING = "Stopping: the run is handed over. Ctrl-C again ends at once."


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to ingest, and how to tell about it."""

    source: str  # as it was typed
    kind: str
    config: Mapping[str, object]
    credential: Mapping[str, str] | None = field(default=None, repr=False)
    owner: str
    as_json: bool


def run(*, source: str, owner: str, detach: bool, as_json: bool) -> int:
    named = sources.named(source)
    kind, config, credential = named or ("local", {"path": str(folder(source))}, None)
    order = Order(
        source=source,
        kind=kind,
        config=config,
        credential=credential,
        owner=owner,
        as_json=as_json,
    )
    settings = StackSettings()
    if detach:
        return asyncio.run(_detach(order, settings))
    return asyncio.run(_ingest(order, settings))


def folder(source: str) -> Path:
    """The folder a source names. Raises ``Trouble`` that says what is wrong with it."""
    path = Path(os.path.abspath(Path(source).expanduser()))  # noqa: PTH100  # links stay links
    try:
        str(path).encode()
        if not stat.S_ISDIR(path.stat().st_mode):
            raise _unusable(f"{path} is a file.", "Give the folder that holds it.")
        with os.scandir(path) as entries:
            next(entries, None)
    except UnicodeEncodeError:
        raise _unusable(f"{path!r} is not valid UTF-8.", "Rename the folder.") from None
    except FileNotFoundError:
        raise _unusable(f"There is nothing at {path}.", "Check the path.") from None
    except PermissionError:
        raise _unusable(f"{path} may not be read.", "Check its permissions.") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise _unusable(f"{path} cannot be read: {reason}.", "Check the path.") from None
    return path


def _unusable(message: str, action: str) -> Trouble:
    return Trouble(message, action=action, code=ExitCode.USAGE)


async def _ingest(order: Order, settings: StackSettings) -> ExitCode:
    while url := await running(settings):
        try:
            return await _there(order, url)
        except ServerAway:
            if settings.api_url is not None:
                raise
            # The stack was stopped under us. The run is still there, and goes on with the next one.
    return await _here(order, settings)


async def _detach(order: Order, settings: StackSettings) -> ExitCode:
    url = await running(settings)
    if url is None:
        raise Trouble(
            "--detach needs a Headwater that goes on, and none runs here.",
            action="Start `headwater up` in another terminal.",
            code=ExitCode.CANNOT_RUN,
        )
    async with speak_to(url) as client:
        run_id = await _request(client, order)
    if order.as_json:
        print_json(sys.stdout, {"run_id": str(run_id), "url": url})
    else:
        print(run_id)  # noqa: T201  # the data of this command
        messages().print(Text(f"Watch it: headwater watch {run_id}"), soft_wrap=True)
    return ExitCode.DONE


async def _there(order: Order, url: str) -> ExitCode:
    """On a stack that runs already, and goes on without us."""
    async with speak_to(url, patience_seconds=PATIENCE_SECONDS) as client:
        run_id = await _request(client, order)
        with display_for(as_json=order.as_json) as display, interrupts():
            try:
                await follow(client, run_id, display)
            except asyncio.CancelledError:
                display.say(f"The run goes on. Watch it again: headwater watch {run_id}")
                return ExitCode.INTERRUPTED
        receipt = await client.receipt(run_id)
    return conclude(receipt, as_json=order.as_json)


async def _here(order: Order, settings: StackSettings) -> ExitCode:
    """On a stack of our own, that ends with us."""
    display = display_for(as_json=order.as_json)
    with hold(settings.home, headwater_version()) as directory, display:
        stack = Stack(settings, directory, environment=os.environ, tell=display.say)
        with interrupts(again=stack.kill):
            try:
                receipt = await _ride(order, stack, settings, display)
            except asyncio.CancelledError:
                display.say(
                    "What is done is kept. The run goes on with the next"
                    f" `headwater ingest {order.source}` or `headwater up`."
                )
                display.note(STOPPING)
                return ExitCode.INTERRUPTED
            finally:
                await stack.close()
    return conclude(receipt, as_json=order.as_json)


async def _ride(
    order: Order, stack: Stack, settings: StackSettings, display: Display
) -> ReceiptView:
    display.note(STARTING)
    await stack.start()
    async for part in doctor.absent(settings):
        display.say(f"{part} Until then the run waits.")
    async with speak_to(stack.url) as client:
        run_id = await _request(client, order)
        await first(follow(client, run_id, display), _keep(stack, display))
        return await client.receipt(run_id)


async def _keep(stack: Stack, display: Display) -> None:
    display.note(WAITING)
    await stack.ready()
    display.note("")
    await stack.failed()


async def _request(client: AsyncClient, order: Order) -> UUID:
    connection = await client.connect(
        order.kind, order.config, owner=order.owner, credential=order.credential
    )
    return (await client.start(connection.id)).run.id
