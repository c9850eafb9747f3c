"""``headwater export``: all that is held about an owner."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

from api.attaching import StackSettings
from api.commands.clients import speak_to
from api.commands.ending import ExitCode, Trouble, messages
from api.commands.places import reach
from api.terminal import print_json


def run(*, owner: str) -> int:
    return asyncio.run(_export(owner))


async def _export(owner: str) -> ExitCode:
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        counts = await _print(client.export(owner))
    if counts is None:
        raise Trouble(
            "The export was cut off before its end.", action="Do it again.", code=ExitCode.FAILED
        )
    told = ", ".join(f"{number:,} {kind}" for kind, number in counts.items())
    messages().print(f"All that is held about {owner!r}: {told or 'nothing'}.", markup=False)
    return ExitCode.DONE


async def _print(lines: AsyncIterator[dict[str, Any]]) -> dict[str, int] | None:
    """Answers what the end says, if it came."""
    counts: dict[str, int] | None = None
    async for line in lines:
        print_json(sys.stdout, line)
        if line["type"] == "end":
            counts = line["counts"]
    return counts
