"""``headwater answer``: what a run asks, and answering it."""

import asyncio
import sys
from collections.abc import Sequence
from uuid import UUID

from rich.console import Console
from rich.text import Text

from api import answering, words
from api.answering import NotAnAnswer
from api.attaching import StackSettings
from api.client import AsyncClient, Invalid
from api.commands.clients import speak_to
from api.commands.ending import ExitCode, Trouble, messages
from api.commands.ids import run_id
from api.commands.places import reach
from api.schemas import QuestionView, ReasonView, RunView
from api.terminal import print_json

NOBODY = "Nothing runs here that would go on with it: start `headwater up`."


def run(*, run: str, said: Sequence[str], as_json: bool) -> int:
    return asyncio.run(_do(run_id(run), said, as_json=as_json))


async def _do(which: UUID, said: Sequence[str], *, as_json: bool) -> ExitCode:
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        reason, question = _open(await client.run(which))
        if not said:
            return _show(which, reason, question, as_json=as_json)
        now = await _answer(client, which, question, said)
    if as_json:
        print_json(sys.stdout, now.model_dump(mode="json"))
    else:
        _say(f"Answered. Watch it: headwater watch {which}" if place.alive else NOBODY)
    return ExitCode.DONE


def _open(run: RunView) -> tuple[ReasonView, QuestionView]:
    reason = run.reason
    if reason is None or reason.question is None:
        raise Trouble(f"The run is {run.status} and asks nothing.", code=ExitCode.FAILED)
    return reason, reason.question


async def _answer(
    client: AsyncClient, which: UUID, question: QuestionView, said: Sequence[str]
) -> RunView:
    again = f"`headwater answer {which}` shows what it takes."
    try:
        given = answering.answer(question.answer_schema, said)
        return await client.answer(which, question.name, given)
    except NotAnAnswer as error:
        raise Trouble(str(error), action=again, code=ExitCode.USAGE) from None
    except Invalid as error:
        wrong = "; ".join(f"{each.field}: {each.message}" for each in error.said.errors)
        message = words.clean(f"{str(error).rstrip('.')}: {wrong}" if wrong else str(error))
        raise Trouble(message, action=again, code=ExitCode.USAGE) from None


def _show(which: UUID, reason: ReasonView, question: QuestionView, *, as_json: bool) -> ExitCode:
    if as_json:
        print_json(sys.stdout, question.model_dump(mode="json"))
        return ExitCode.DONE
    out = Console(highlight=False)
    for line in answering.asked(reason.message, question):
        out.print(Text(line), soft_wrap=True)
    names = answering.fields_of(question.answer_schema)
    form = " ".join(f"{words.clean(name)}=…" for name in names) or "'{…}'"
    _say(f"Answer it: headwater answer {which} {form}")
    return ExitCode.DONE


def _say(sentence: str) -> None:
    messages().print(Text(sentence), soft_wrap=True)
