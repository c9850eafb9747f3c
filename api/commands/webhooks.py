"""``headwater webhooks``: who is told of what, and telling it again."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.text import Text

from api import words
from api.attaching import StackSettings
from api.client import AsyncClient
from api.commands.clients import speak_to
from api.commands.ending import ExitCode, Trouble, messages
from api.commands.ids import delivery_id, webhook_id
from api.commands.places import reach
from api.commands.schedule import seconds
from api.hookviews import DeliveryView, Replayed, WebhookMade, WebhookView
from api.terminal import print_json

KEEP = "Keep it now: it is never shown again. The receiver checks signatures with it."
SENDS = "A worker sends it: `headwater webhooks deliveries {webhook}` tells what came of it."
NOBODY = "Nothing runs here that would send it: start `headwater up`."


def run(*, what: str, as_json: bool, **options: Any) -> int:
    return asyncio.run(_do(what, options, as_json=as_json))


async def _do(what: str, options: Mapping[str, Any], *, as_json: bool) -> ExitCode:
    given = dict(options)
    if "webhook" in given:
        given["webhook"] = webhook_id(given["webhook"])
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        answers = await COMMANDS[what](client, **given)
    if as_json:
        for each in answers:
            print_json(sys.stdout, each.model_dump(mode="json"))
        return ExitCode.DONE
    for each in answers:
        _print(each)
    _say(what, given.get("webhook"), alive=place.alive, found=bool(answers))
    return ExitCode.DONE


async def _create(client: AsyncClient, **wanted: Any) -> Sequence[WebhookMade]:
    return [await client.webhooks.create(**wanted)]


async def _list(client: AsyncClient) -> Sequence[WebhookView]:
    return [each async for each in client.webhooks.list()]


async def _delete(client: AsyncClient, *, webhook: UUID) -> Sequence[WebhookView]:
    await client.webhooks.delete(webhook)
    return []


async def _rotate(
    client: AsyncClient, *, webhook: UUID, overlap_hours: int
) -> Sequence[WebhookMade]:
    return [await client.webhooks.rotate(webhook, overlap_hours=overlap_hours)]


async def _test(client: AsyncClient, *, webhook: UUID) -> Sequence[DeliveryView]:
    return [await client.webhooks.test(webhook)]


async def _deliveries(
    client: AsyncClient, *, webhook: UUID, status: str | None, limit: int
) -> Sequence[DeliveryView]:
    found: list[DeliveryView] = []
    async for each in client.webhooks.deliveries(webhook, status=status):
        found.append(each)
        if len(found) == limit:
            break
    return found


async def _replay(
    client: AsyncClient, *, webhook: UUID, delivery: str | None, since: str | None
) -> Sequence[DeliveryView | Replayed]:
    if delivery is not None and since is None:
        return [await client.webhooks.replay(webhook, delivery_id(delivery))]
    if delivery is not None or since is None:
        raise Trouble("Name one delivery, or say --since.", code=ExitCode.USAGE)
    begin, total = datetime.now(UTC) - timedelta(seconds=seconds(since)), 0
    while True:
        answer = await client.webhooks.replay_failed(webhook, begin)
        total += answer.replayed
        if not answer.more:
            return [Replayed(replayed=total, more=False)]


Answers = Sequence[WebhookView | DeliveryView | Replayed]
COMMANDS: Mapping[str, Callable[..., Awaitable[Answers]]] = {
    "create": _create,
    "list": _list,
    "delete": _delete,
    "rotate": _rotate,
    "test": _test,
    "deliveries": _deliveries,
    "replay": _replay,
}


def _print(it: WebhookView | DeliveryView | Replayed) -> None:
    match it:
        case WebhookMade():
            messages().print(f"{it.id}  {KEEP}", soft_wrap=True)
            print(it.secret)  # noqa: T201  # the data of this command
        case WebhookView():
            _line(it.id, it.url, _health(it), _events(it))
        case DeliveryView():
            _line(it.id, f"{it.created_at.astimezone():%Y-%m-%d %H:%M}", it.event, _outcome(it))
        case Replayed():
            messages().print(f"{it.replayed:,} that failed are delivered again.")


def _line(*cells: object) -> None:
    line = "  ".join(words.clean(str(each)) for each in cells)
    Console(highlight=False).print(Text(line), soft_wrap=True)


def _health(it: WebhookView) -> str:
    if not it.enabled:
        return f"disabled: {it.disabled_for}"
    if it.failing_since is not None:
        return f"failing since {it.failing_since.astimezone():%Y-%m-%d %H:%M}"
    return "nothing sent yet" if it.delivered_at is None else "well"


def _events(it: WebhookView) -> str:
    return "all events" if it.events is None else ", ".join(it.events)


def _outcome(it: DeliveryView) -> str:
    why = it.trouble or (f"answered {it.answered}" if it.answered is not None else "")
    return f"{it.status}: {why}" if why else it.status


def _say(what: str, webhook: UUID | None, *, alive: bool, found: bool) -> None:
    said = {
        "list": None if found else "Nobody is told yet: headwater webhooks create URL",
        "deliveries": None if found else "It was told nothing of that in thirty days.",
        "delete": "It is told nothing more.",
        "test": SENDS.format(webhook=webhook) if alive else NOBODY,
        "replay": None if alive else NOBODY,
    }.get(what)
    if said:
        messages().print(Text(said), soft_wrap=True)
