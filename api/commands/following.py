"""Following a run to its end, and telling what it came to."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.text import Text

from api.client import AsyncClient
from api.commands.ending import AFTER_STATUS, ExitCode, messages
from api.frames import after
from api.receipt import lines
from api.schemas import ReceiptView, RunView
from api.terminal import Display, JsonDisplay, LiveDisplay, PlainDisplay, print_json


def display_for(*, as_json: bool) -> Display:
    """Bars for a person at a terminal, lines for a file or a pipe, JSON for a program."""
    err = messages()
    if as_json:
        return JsonDisplay(sys.stdout, err)
    return LiveDisplay(err) if err.is_terminal else PlainDisplay(err)


async def follow(client: AsyncClient, run_id: UUID, display: Display) -> None:
    state: dict[str, Any] = {}
    async for frame in client.follow(run_id):
        state = after(state, frame)
        if state:
            display.show(frame, RunView.model_validate(state))


async def first(*works: Coroutine[Any, Any, None]) -> None:
    """Until one of them is done; its error passes, the others are cancelled."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def conclude(receipt: ReceiptView, *, as_json: bool) -> ExitCode:
    """Print the receipt, and say what the run's end means for whoever waited."""
    code = AFTER_STATUS.get(receipt.status, ExitCode.FAILED)
    if as_json:
        print_json(sys.stdout, {"type": "receipt", **receipt.model_dump(mode="json")})
        return code
    out = Console(highlight=False)
    for line in lines(receipt):
        out.print(Text(line), soft_wrap=True)
    if receipt.index.artifacts:
        messages().print(Text('\nSearch it: headwater search "your question"'))
    return code
