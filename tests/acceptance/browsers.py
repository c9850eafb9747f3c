"""A real browser, and pages that must not complain."""

import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="no chromium on the PATH"
)


@asynccontextmanager
async def browsing() -> AsyncGenerator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@asynccontextmanager
async def watched(browser: Browser, **context: str) -> AsyncGenerator[Page]:
    """A page of which no script fails, and that asks for nothing that its policy refuses."""
    complaints: list[str] = []
    page = await browser.new_page(**context)  # type: ignore[arg-type]  # it takes many words
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    yield page
    await page.close()
    # the browser reports every refused request, also those whose refusal the page shows
    assert [each for each in complaints if "Failed to load resource" not in each] == []
