"""The console's buttons in a real browser: what is asked of a run, and what the page says then."""

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Page, expect
from redis.asyncio import Redis

from storage import runs
from storage.database import Database
from storage.events import EventKind, EventLog, RunStatus
from storage.streams.redis import RedisEventLog
from tests.acceptance.browsers import browsing, needs_chromium, watched
from tests.asked import failed, found
from tests.marks import on_sqlite
from tests.serving import Served, Story, serving

pytestmark = [
    on_sqlite,
    pytest.mark.timeout(120),
    needs_chromium,
]


@pytest.fixture
def log(redis: Redis) -> EventLog:
    return RedisEventLog(redis)


@pytest.fixture
async def served(database: Database, log: EventLog) -> AsyncGenerator[Served]:
    async with serving(database, log) as served:
        yield served


@pytest.fixture
async def story(database: Database, log: EventLog) -> Story:
    """A run that a worker is at, with something searchable already."""
    story = await Story.begin(database, log)
    await story.start()
    await story.tick(searchable=38)
    return story


@pytest.fixture
async def page(served: Served, story: Story) -> AsyncGenerator[Page]:
    """The run's page; it must not complain."""
    async with browsing() as browser, watched(browser) as page:
        await page.goto(f"{served.url}/#/runs/{story.run}")
        yield page


async def says(page: Page, status: str) -> None:
    await expect(page.locator(".run .pill")).to_have_text(status)


async def has(page: Page, *buttons: str) -> None:
    await expect(page.locator(".controls > button:visible")).to_have_text([*buttons])


async def test_pausing_and_going_on_by_the_keyboard_keeps_the_focus(
    page: Page, story: Story
) -> None:
    await has(page, "Pause", "Cancel")
    await page.get_by_role("button", name="Pause").focus()
    await page.keyboard.press("Enter")
    await says(page, "Pausing…")
    await story.milestone(EventKind.PAUSED, **runs.PAUSED)
    await says(page, "Paused")

    await expect(page.get_by_role("button", name="Resume")).to_be_focused()
    await page.keyboard.press("Enter")

    await says(page, "Queued")
    await has(page, "Pause", "Cancel")
    assert (await found(story.database, story.run)).status is RunStatus.QUEUED


async def test_what_is_asked_is_still_shown_after_a_reload(page: Page) -> None:
    await page.get_by_role("button", name="Pause").click()
    await says(page, "Pausing…")

    await page.reload()

    await says(page, "Pausing…")
    await has(page, "Resume", "Cancel")


async def test_cancelling_says_what_is_kept_and_can_be_thought_better_of(
    page: Page, story: Story
) -> None:
    dialog = page.get_by_role("dialog", name="Cancel this run?")
    await page.get_by_role("button", name="Cancel", exact=True).click()
    await expect(dialog).to_contain_text("38 artifacts stay searchable")
    await expect(dialog.get_by_role("button", name="Keep it going")).to_be_focused()

    await page.keyboard.press("Enter")
    await expect(dialog).to_be_hidden()
    await page.keyboard.press("Enter")  # the focus is back where it was
    await page.keyboard.press("Escape")

    await expect(dialog).to_be_hidden()
    await says(page, "Running")
    assert (await found(story.database, story.run)).wish is None


async def test_a_cancelled_run_takes_nothing_more(page: Page, story: Story) -> None:
    await page.get_by_role("button", name="Cancel", exact=True).click()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await says(page, "Cancelling…")
    await has(page)

    await story.milestone(EventKind.CANCELLED, **runs.CANCELLED)

    await says(page, "Cancelled")
    await has(page)


async def test_what_failed_is_tried_again_on_a_page_of_its_own(page: Page, story: Story) -> None:
    await failed(story.database, await found(story.database, story.run))
    await story.milestone(EventKind.SUCCEEDED_WITH_FAILURES, counts={"failed": {"undecodable": 7}})
    before = page.url

    await page.get_by_role("button", name="Retry failed (7)").click()

    await page.wait_for_function("before => location.href !== before", arg=before)
    await says(page, "Queued")


async def test_what_cannot_be_done_is_told_with_what_to_do(page: Page, story: Story) -> None:
    await story.milestone(EventKind.SUCCEEDED_WITH_FAILURES, counts={"failed": {"undecodable": 7}})

    await page.get_by_role("button", name="Retry failed (7)").click()

    await expect(page.locator(".controls [role=alert]")).to_contain_text("Nothing is failed here")
    await expect(page.locator(".controls [role=alert]")).to_contain_text("Start a new run")
