"""Answering a run's question on its page, in a real browser."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Page, expect
from redis.asyncio import Redis

from storage import questions
from storage.database import Database
from storage.events import EventLog
from storage.ids import RunId
from storage.streams.redis import RedisEventLog
from tests.acceptance.browsers import browsing, needs_chromium, watched
from tests.marks import on_sqlite
from tests.questioned import asks
from tests.serving import serving

pytestmark = [
    on_sqlite,
    pytest.mark.timeout(120),
    needs_chromium,
]
FIELDS: Mapping[str, Any] = {
    "approved": {"type": "boolean", "title": "Approved"},
    "tone": {"$ref": "#/$defs/Tone", "title": "Tone"},
    "pages": {"type": "integer", "title": "Pages", "description": "At most"},
    "by": {"type": "string", "title": "By", "pattern": "^[A-Z]", "maxLength": 50},
    "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Note", "default": None},
    "tags": {"type": "array", "items": {"type": "string"}, "title": "Tags"},
}
SCHEMA: Mapping[str, Any] = {
    "$defs": {"Tone": {"enum": ["dry", "warm"], "type": "string"}},
    "type": "object",
    "properties": FIELDS,
    "required": ["approved", "tone", "pages", "by", "tags"],
    "additionalProperties": False,
}


@pytest.fixture
def log(redis: Redis) -> EventLog:
    return RedisEventLog(redis)


@asynccontextmanager
async def shown(
    database: Database, log: EventLog, schema: Mapping[str, Any], **context: str
) -> AsyncGenerator[tuple[Page, RunId]]:
    """The page of a run that asks."""
    run = await asks(database, log, schema, about={"pages": 3})
    async with (
        serving(database, log) as served,
        browsing() as browser,
        watched(browser, **context) as page,
    ):
        await page.goto(f"{served.url}/#/runs/{run}")
        yield page, run


async def answer(database: Database, run: RunId) -> object:
    async with database.reading() as tx:
        asked = await questions.get(tx, run, "publish")
    assert asked is not None
    return asked.answer


async def test_a_question_is_answered_by_the_keyboard_alone(
    database: Database, log: EventLog
) -> None:
    async with shown(database, log, SCHEMA) as (page, run):
        form = page.get_by_role("form", name="Publish?")
        await expect(form.get_by_role("region", name="What it is about")).to_contain_text("3")
        await form.get_by_label("Approved").focus()
        for keys in ("No", "Tab", "warm", "Tab", "12", "Tab", "ada", "Tab", "Tab", '["x"]'):
            await (page.keyboard.press(keys) if keys == "Tab" else page.keyboard.type(keys))
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")

        by = form.get_by_label("By")
        await expect(form.get_by_role("alert")).to_contain_text("no answer to 'publish'")
        await expect(by).to_be_focused()
        await expect(by).to_have_accessible_description("'ada' does not match '^[A-Z]'")
        await by.fill("Ada")
        await page.keyboard.press("Enter")

        await expect(form).to_be_hidden()
        await expect(page.locator("#main")).to_be_focused()
        await expect(page.locator(".run .pill")).to_have_text("Queued")
        assert await answer(database, run) == {
            "approved": False,
            "tone": "warm",
            "pages": 12,
            "by": "Ada",
            "tags": ["x"],
        }


async def test_what_no_field_fits_is_asked_for_as_json_in_the_dark_too(
    database: Database, log: EventLog
) -> None:
    async with shown(database, log, {"type": "object"}, color_scheme="dark") as (page, run):
        text = page.get_by_label("Answer, as JSON")
        await text.fill("{")
        await page.get_by_role("button", name="Answer").click()
        await expect(page.get_by_role("alert")).to_contain_text("is not JSON")
        paint = "each => [getComputedStyle(each).color, getComputedStyle(each).backgroundColor]"
        colours = await text.evaluate(paint)
        await text.fill('{"any": [1]}')
        await page.get_by_role("button", name="Answer").click()

        await expect(text).to_be_hidden()
        assert colours == ["rgb(227, 240, 240)", "rgb(18, 33, 36)"]
        assert await answer(database, run) == {"any": [1]}
