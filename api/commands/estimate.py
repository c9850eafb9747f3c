"""``headwater estimate SOURCE``: what ingesting it would come to, before anything is read."""

import asyncio
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from api import words
from api.attaching import StackSettings
from api.commands import sources
from api.commands.clients import speak_to
from api.commands.ending import ExitCode, messages
from api.commands.ingest import folder
from api.commands.places import reach
from api.estimates import EstimateView, RangeView
from api.terminal import print_json


def run(*, source: str, owner: str, as_json: bool) -> int:
    named = sources.named(source) or ("local", {"path": str(folder(source))}, None)
    return asyncio.run(_estimate(named, owner, as_json=as_json))


async def _estimate(named: sources.Named, owner: str, *, as_json: bool) -> ExitCode:
    kind, config, credential = named
    async with reach(StackSettings()) as place, speak_to(place.url) as client:
        connection = await client.connect(kind, config, owner=owner, credential=credential)
        found = await client.estimate(connection.id)
    if as_json:
        print_json(sys.stdout, found.model_dump(mode="json"))
        return ExitCode.DONE
    out = Console(highlight=False)
    for line in lines(found):
        out.print(Text(line), soft_wrap=True)
    for note in found.notes:
        messages().print(Text(note), soft_wrap=True)
    return ExitCode.DONE


def lines(found: EstimateView) -> Iterator[str]:
    for each in found.partitions:
        size = "" if each.artifacts is None else f": {each.artifacts:,}"
        yield f"{words.clean(each.title)}{size}"
    there = f", {found.ingested:,} of them ingested already" if found.ingested else ""
    yield f"Artifacts  {found.artifacts:,}{there}"
    yield f"Tokens     {_range(found.tokens)}"
    if found.model is not None:
        yield f"Read by    {found.model}, in {_range(found.model_calls)} calls"
        yield f"Cost       ${found.cost_usd.low:,.2f} to ${found.cost_usd.high:,.2f}"
    if found.seconds is not None:
        low, high = (words.duration(each) for each in (found.seconds.low, found.seconds.high))
        yield f"Time       {low} to {high}"


def _range(each: RangeView) -> str:
    return f"{each.low:,} to {each.high:,}" if each.low != each.high else f"{each.low:,}"
