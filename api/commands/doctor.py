"""``headwater doctor``: a line for everything this installation needs."""

import asyncio
import sys

from rich.console import Console
from rich.text import Text

from api import words
from api.attaching import StackSettings
from api.commands.ending import ExitCode
from api.doctor import Check, Grade, examine
from api.terminal import print_json

STYLES = {Grade.OK: "green", Grade.WARN: "yellow", Grade.FAIL: "bold red"}


def run(*, as_json: bool) -> int:
    return asyncio.run(_doctor(as_json=as_json))


async def _doctor(*, as_json: bool) -> ExitCode:
    code = ExitCode.DONE
    out = Console(highlight=False)
    async for check in examine(StackSettings()):
        if check.grade is Grade.FAIL:
            code = ExitCode.FAILED
        if as_json:
            said = {"name": check.name, "detail": check.detail, "action": check.action}
            print_json(sys.stdout, {"grade": check.grade, **said})
        else:
            _print(out, check)
    return code


def _print(out: Console, check: Check) -> None:
    line = Text(f"{check.grade.upper():<4}", style=STYLES[check.grade])
    line.append(f"  {check.name:<8}  {words.clean(check.detail)}", style="default not bold")
    out.print(line, soft_wrap=True)
    if check.action and check.grade is not Grade.OK:
        out.print(Text(f"{'':16}{words.clean(check.action)}"), soft_wrap=True)
