"""``headwater search QUERY``: from the running api, else straight from where things are kept."""

import asyncio
import sys
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from api import words
from api.attaching import StackSettings, running
from api.commands.clients import speak_to
from api.commands.ending import ExitCode, Trouble, messages
from api.schemas import HitView
from api.terminal import print_json
from storage import schema
from storage.database import open_database
from storage.embedding import StaticEmbedder
from storage.ids import LOCAL_TENANT
from storage.search import Searcher
from storage.settings import DATABASE_FILE


def run(*, query: str, limit: int, as_json: bool) -> int:
    hits = asyncio.run(_search(query, limit))
    if as_json:
        for each in hits:
            print_json(sys.stdout, each.model_dump(mode="json"))
    elif hits:
        _print(hits)
    else:
        messages().print(Text(f"Nothing found for {words.clean(query)!r}."), soft_wrap=True)
    return ExitCode.DONE


async def _search(query: str, limit: int) -> list[HitView]:
    settings = StackSettings()
    url = await running(settings)
    if url is None:
        return await _here(settings, query, limit)
    async with speak_to(url) as client:
        return await client.search(query, limit=limit)


async def _here(settings: StackSettings, query: str, limit: int) -> list[HitView]:
    """Without a server: a search needs the database only, and starting the api takes longer."""
    if settings.database_url is None and not (settings.home / DATABASE_FILE).exists():
        raise Trouble(
            f"Nothing is ingested yet in {settings.home}.",
            action="Start with `headwater ingest SOURCE`.",
            code=ExitCode.CANNOT_RUN,
        )
    async with open_database(settings.sql_url()) as database:
        await schema.check(database)
        searcher = Searcher(StaticEmbedder())
        async with database.reading() as tx:
            found = await searcher.find(tx, LOCAL_TENANT, query, limit=limit)
    if not found.by_meaning:
        messages().print(Text(words.BY_WORDS), soft_wrap=True)
    return [HitView.model_validate({**asdict(hit), "snippet": hit.text}) for hit in found.hits]


def _print(hits: list[HitView]) -> None:
    out = Console(highlight=False)
    for number, each in enumerate(hits):
        place, *snippet = words.hit(each)
        out.print(Text(f"\n{place}" if number else place, style="bold cyan"), soft_wrap=True)
        for line in snippet:
            out.print(Text(line), soft_wrap=True)
