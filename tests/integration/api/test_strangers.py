"""Readers of streams that are not ours follow a run through a restart of the api."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page

from storage.database import Database
from storage.events import EventLog
from tests.acceptance.browsers import browsing, needs_chromium, watched
from tests.serving import Served, Story, serving
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(120)

FOLLOW = """
path => {
  window.seen = [];
  const source = new EventSource(path);
  for (const name of ["snapshot", "event", "goodbye"])
    source.addEventListener(name, told => seen.push([name, told.lastEventId, told.data]));
  source.addEventListener("error", () => { window.over = source.readyState === 2; });
}
"""

Seen = list[tuple[str, str, dict[str, Any]]]


@needs_chromium
async def test_a_browsers_event_source_follows_a_run_through_a_restart_to_its_end(
    database: Database, log: EventLog, story: Story
) -> None:
    await story.start()
    async with browsing() as browser, watched(browser) as page:
        async with serving(database, log) as served:
            await page.goto(served.url)
            await page.evaluate(FOLLOW, f"/v1/runs/{story.run}/events")
            await wait_until(lambda: _has_told(page, 1))
            await story.tick(searchable=1)
            await wait_until(lambda: _has_told(page, 2))
        await story.tick(searchable=2)
        async with serving(database, log, port=_port(served)) as again:
            await wait_until(lambda: again.services.hub.listeners == 1, within_seconds=60)
            await story.tick(searchable=3)
            await story.end()
            await wait_until(lambda: _is_closed(page), within_seconds=60)
        seen = [(name, place, json.loads(data)) for name, place, data in await _seen(page)]

    _check(seen)


async def test_a_client_of_others_follows_a_run_through_a_restart_to_its_end(
    database: Database, log: EventLog, story: Story
) -> None:
    await story.start()
    seen: Seen = []
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as client:
        async with serving(database, log) as served:
            url = f"{served.url}/v1/runs/{story.run}/events"
            follower = asyncio.create_task(_follow(client, url, seen))
            await wait_until(lambda: len(seen) == 1)
            await story.tick(searchable=1)
            await wait_until(lambda: len(seen) == 2)
        await story.tick(searchable=2)
        async with serving(database, log, port=_port(served)) as again:
            await wait_until(lambda: again.services.hub.listeners == 1)
            await story.tick(searchable=3)
            await story.end()
            async with asyncio.timeout(60):
                await follower

    _check(seen)


async def _follow(client: httpx2.AsyncClient, url: str, seen: Seen) -> None:
    """What such a client leaves to its user: to ask again with the last id, until there is 204."""
    place: str | None = ""
    while place is not None:
        try:
            place = await _read(client, url, seen, place)
        except httpx2.TransportError:
            await wait_until(lambda: _is_there(client, url), within_seconds=60)


async def _read(client: httpx2.AsyncClient, url: str, seen: Seen, place: str) -> str | None:
    """The last id of one connection; None when there is no more."""
    headers = {"Last-Event-ID": place} if place else {}
    async with client.sse(url, headers=headers) as source:
        if source.response.status_code == httpx2.codes.NO_CONTENT:
            return None
        async for each in source:
            place = each.id or place
            if each.data:
                seen.append((each.event, each.id, json.loads(each.data)))
    return place


async def _is_there(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        await client.get(httpx2.URL(url).join("/livez"))
    except httpx2.TransportError:
        return False
    return True


def _check(seen: Seen) -> None:
    """The state once, then every event once and in order; the server said that it leaves."""
    told = [(name, place) for name, place, _ in seen if name != "goodbye"]
    assert told == [("snapshot", "2"), *(("event", str(seq)) for seq in range(3, 7))]
    assert [data["reason"] for name, _, data in seen if name == "goodbye"] == ["shutdown"]
    patches = [data["patch"].get("searchable") for name, _, data in seen if name == "event"]
    assert patches[:3] == [1, 2, 3]
    assert seen[-1][2]["kind"] == "run.succeeded"


def _port(served: Served) -> int:
    return int(served.url.rpartition(":")[2])


async def _seen(page: Page) -> list[tuple[str, str, str]]:
    return [(name, place, data) for name, place, data in await page.evaluate("window.seen")]


async def _has_told(page: Page, count: int) -> bool:
    return len(await _seen(page)) == count


async def _is_closed(page: Page) -> bool:
    return bool(await page.evaluate("window.over === true"))
