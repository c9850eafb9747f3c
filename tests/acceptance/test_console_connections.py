"""The page of a connection in a real browser: when it is ingested by itself."""

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Page, expect

from storage.database import Database
from storage.streams.memory import MemoryEventLog
from tests.acceptance.browsers import browsing, needs_chromium, watched
from tests.integration.api.test_deletions import doubted
from tests.marks import on_sqlite
from tests.serving import Served, Story, serving

pytestmark = [
    on_sqlite,
    pytest.mark.timeout(120),
    needs_chromium,
]


@pytest.fixture
async def served(database: Database) -> AsyncGenerator[Served]:
    log = MemoryEventLog()
    story = await Story.begin(database, log)
    async with database.transaction() as tx:
        await doubted(tx, story.run)
    async with serving(database, log) as served:
        yield served


@pytest.fixture
async def page(served: Served) -> AsyncGenerator[Page]:
    """The page of the one connection; it must not complain."""
    home = {"locale": "en-GB", "timezone_id": "Europe/Paris"}
    async with browsing() as browser, watched(browser, **home) as page:
        await page.goto(served.url)
        await page.get_by_role("link", name="Connections").click()
        await page.locator("ol.runs a").click()
        yield page


async def test_a_schedule_is_set_paused_resumed_and_taken_away(page: Page) -> None:
    sheet = page.get_by_role("region", name="By itself")
    told = sheet.get_by_role("status")
    await expect(told).to_have_text("It is ingested only when somebody asks for it.")

    await sheet.get_by_label("How often").select_option("Every 6 hours")
    await sheet.get_by_role("button", name="Keep").click()
    await expect(told).to_contain_text("Every 6 h; next")
    await page.reload()
    await expect(told).to_contain_text("Every 6 h; next")
    await sheet.get_by_role("button", name="Pause").click()
    await expect(told).to_have_text("Every 6 h; paused.")
    await sheet.get_by_role("button", name="Resume").click()
    await expect(told).to_contain_text("next")
    await sheet.get_by_label("How often").select_option("Only when asked")
    await sheet.get_by_role("button", name="Keep").click()
    await expect(told).to_have_text("It is ingested only when somebody asks for it.")


async def test_a_wrong_expression_is_answered_beside_its_field_and_a_right_one_is_kept(
    page: Page,
) -> None:
    sheet = page.get_by_role("region", name="By itself")
    await sheet.get_by_label("How often").select_option("At times of my own")
    await sheet.get_by_label("Cron expression").fill("every morning")
    await sheet.get_by_role("button", name="Keep").click()
    await expect(sheet.get_by_role("alert")).to_contain_text("five fields")

    await sheet.get_by_label("Cron expression").fill("0 6 * * 1-5")
    await sheet.get_by_role("button", name="Keep").click()

    await expect(sheet.get_by_role("status")).to_contain_text("At 0 6 * * 1-5 (Europe/Paris); next")
    await expect(sheet.get_by_role("alert")).to_be_hidden()


async def test_what_may_be_gone_is_shown_by_name_and_approved(page: Page) -> None:
    sheet = page.get_by_role("region", name="Gone from the source?")
    await expect(sheet).to_contain_text("2 of 2 in files")
    await sheet.get_by_role("button", name="Show some names").click()
    await expect(sheet).to_contain_text("a.md, b.md")

    await sheet.get_by_role("button", name="They are gone").click()

    await expect(sheet).to_be_hidden()
    await expect(page.locator("#announcer")).to_have_text("2 are found by nobody now")
    await page.reload()
    await expect(page.get_by_role("region", name="By itself")).to_be_visible()
    await expect(sheet).to_be_hidden()


async def test_how_fresh_it_is_is_told(page: Page) -> None:
    sheet = page.get_by_role("region", name="How fresh it is")

    await expect(sheet).to_contain_text("Last success")
    await expect(sheet).to_contain_text("never")
    await expect(sheet).to_contain_text("when asked")


async def test_disconnecting_asks_first_and_the_connection_is_gone(page: Page) -> None:
    await page.get_by_role("button", name="Disconnect").click()
    await page.get_by_role("button", name="Keep it").click()
    await expect(page.get_by_role("button", name="Disconnect")).to_be_visible()

    await page.get_by_role("button", name="Disconnect").click()
    await page.get_by_role("button", name="Erase everything").click()

    await expect(page.get_by_text("Nothing is connected yet.")).to_be_visible()
