"""What no model could read, on a run's page in a real browser."""

import pytest
from playwright.async_api import expect

from pipelines.llm.errors import AnswerMalformed
from pipelines.llm.settings import ModelSettings
from pipelines.llm.thinking import open_thinking
from storage.database import Database
from tests.acceptance.browsers import browsing, needs_chromium, watched
from tests.ingesting import notes, open_house
from tests.marks import on_sqlite
from tests.mockprovider import UNLIMITED, Mock
from tests.serving import serving

pytestmark = [
    on_sqlite,
    pytest.mark.timeout(120),
    needs_chromium,
]


async def test_what_no_model_could_read_is_named_with_what_to_do(
    database: Database, redis_url: str, mock: Mock
) -> None:
    await mock.become(**UNLIMITED, garbage=1)
    said = ModelSettings.model_validate(
        {"key": "right", "base_url": mock.url, "model": "mock-small"}
    )
    _, spec = notes("ant", "bee")
    async with (
        open_thinking(said, redis_url=redis_url) as thinking,
        open_house(database, spec, thinking=thinking) as house,
    ):
        run = await house.ingest(await house.connect("memory", {}))
    async with (
        serving(database, house.log) as served,
        browsing() as browser,
        watched(browser) as page,
    ):
        await page.goto(f"{served.url}/#/runs/{run.id}")

        receipt = page.locator(".sheet", has=page.get_by_role("heading", name="Receipt"))
        await expect(receipt).to_contain_text("No model could read 2 of those processed")
        await expect(receipt.get_by_role("listitem")).to_have_count(2)
        for name in ("ant", "bee"):
            row = receipt.get_by_role("listitem").filter(has_text=name)
            await expect(row).to_contain_text(AnswerMalformed.action)
