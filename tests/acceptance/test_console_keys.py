"""The console of a server that asks for keys, in a real browser."""

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Page, expect

from storage import keys
from storage.database import Database
from storage.events import EventKind, EventLog
from storage.ids import LOCAL_TENANT
from storage.streams.memory import MemoryEventLog
from tests.acceptance.browsers import browsing, needs_chromium
from tests.marks import on_sqlite
from tests.serving import Served, Story, serving

pytestmark = [
    on_sqlite,
    pytest.mark.timeout(120),
    needs_chromium,
]


@pytest.fixture
def log() -> EventLog:
    return MemoryEventLog()


@pytest.fixture
async def served(database: Database, log: EventLog) -> AsyncGenerator[Served]:
    async with serving(database, log, asks_for_keys=True) as served:
        yield served


@pytest.fixture
async def page() -> AsyncGenerator[Page]:
    async with browsing() as browser:
        yield await browser.new_page()


async def test_who_has_a_key_signs_in_and_follows_a_run_live(
    page: Page, served: Served, database: Database, log: EventLog
) -> None:
    story = await Story.begin(database, log)
    async with database.transaction() as tx:
        key, secret = await keys.make(tx, LOCAL_TENANT, name="console")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    await page.goto(f"{served.url}/#/runs/{story.run}")
    await page.get_by_label("Key").fill("hw_not_this_one")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("No key or token")
    await page.get_by_label("Key").fill(secret)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator(".run .pill")).to_have_text("Queued")
    await story.start()
    await expect(page.locator(".run .pill")).to_have_text("Running")
    await story.milestone(EventKind.SUCCEEDED, activity=None)
    await expect(page.locator(".run .pill")).to_have_text("Ready")

    assert any("ticket=hwt_" in url for url in asked)
    assert not any(secret in url or "hwc_" in url for url in asked)
    assert await page.evaluate("[document.cookie, localStorage.length]") == ["", 0]

    await page.reload()

    await expect(page.get_by_label("Key")).to_be_visible()
    assert key.prefix not in await page.content()
