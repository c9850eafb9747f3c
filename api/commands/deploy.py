"""``headwater deploy``: which version of the workers gets the runs."""

import asyncio
import sys

from rich.console import Console
from rich.text import Text

from api import words
from api.attaching import StackSettings
from api.commands.clients import speak_to
from api.commands.ending import ExitCode, messages
from api.commands.places import reach
from api.rollout import DeploymentView
from api.terminal import print_json


def run(*, version: str | None, percent: int | None, force: bool, as_json: bool) -> int:
    shown = asyncio.run(_deploy(version, percent, force=force))
    if as_json:
        print_json(sys.stdout, shown.model_dump(mode="json"))
    else:
        _print(shown)
    return ExitCode.DONE


async def _deploy(version: str | None, percent: int | None, *, force: bool) -> DeploymentView:
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        if version is None:
            return await client.deployment()
        if percent is None:
            return await client.activate(version, force=force)
        return await client.ramp(version, percent, force=force)


def _print(it: DeploymentView) -> None:
    for line in words.deployment(it):
        Console(highlight=False).print(Text(line), soft_wrap=True)
    if it.active is None:
        messages().print(Text("No version is active: every worker takes every run."))
