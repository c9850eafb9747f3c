"""The console in a real browser: what a person sees, also after a reload in the middle."""

import asyncio
import shutil
import subprocess
import sysconfig
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from tests.acceptance.browsers import browsing, needs_chromium, watched
from tests.acceptance.stacks import answering, running_stack

pytestmark = [
    pytest.mark.timeout(240),
    needs_chromium,
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    with running_stack(tmp_path_factory.mktemp("console") / "data") as (url, _):
        asyncio.run(answering(url))
        yield url


@pytest.fixture
async def browser() -> AsyncGenerator[Browser]:
    async with browsing() as browser:
        yield browser


@pytest.fixture
async def page(browser: Browser) -> AsyncGenerator[Page]:
    async with watched(browser) as page:
        yield page


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Some hundreds of real files: enough to be in the middle of."""
    root = tmp_path / "library"
    library = Path(sysconfig.get_path("stdlib"))
    for part in ("asyncio", "email", "json", "http", "logging", "unittest", "concurrent", "urllib"):
        shutil.copytree(library / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    for module in library.glob("*.py"):
        shutil.copy(module, root)
    (root / "README.md").write_text("# Library\n\nThe standard library's own modules.\n")
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "All of it"],
    ):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


async def start(page: Page, url: str, path: Path) -> str:
    """Ask for an ingestion on the page, and answer the run's id."""
    await page.goto(url)
    await page.get_by_label("Path").fill(str(path))
    await page.get_by_role("button", name="Start").click()
    await page.wait_for_url("**/#/runs/*")
    return page.url.rpartition("/")[2]


async def figure(page: Page, name: str) -> int:
    text = await page.locator("dl.figures div", has_text=name).locator("dd").inner_text()
    return int(text.replace(",", ""))


async def test_a_run_reloaded_five_times_ends_with_the_numbers_of_its_receipt(
    page: Page, url: str, repository: Path
) -> None:
    run = await start(page, url, repository)
    found: list[int] = []
    for _ in range(5):
        await expect(page.locator(".run .pill")).to_have_text("Running", timeout=60_000)
        await page.reload()
        await expect(page.locator("dl.figures dd").first).to_be_visible()
        found.append(await figure(page, "Found"))
    await expect(page.locator(".run .pill")).to_have_text("Ready", timeout=120_000)

    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        receipt = (await http.get(f"/v1/runs/{run}/receipt")).json()
    assert found == sorted(found)
    assert receipt["adds_up"]
    assert await figure(page, "Found") == receipt["counts"]["found"]
    assert await figure(page, "Processed") == receipt["counts"]["processed"]
    assert await figure(page, "Searchable") == receipt["index"]["artifacts"]
    await expect(page.locator(".check")).to_have_text("adds up")


async def test_a_path_that_does_not_exist_is_told_with_what_to_do(page: Page, url: str) -> None:
    await start(page, url, Path("/no/such/place"))

    await expect(page.locator(".run .pill")).to_have_text("Failed", timeout=60_000)
    await expect(page.locator(".reason")).to_contain_text("/no/such/place")
    await expect(page.locator(".reason")).to_contain_text("Check the spelling")


async def test_a_retry_is_of_what_failed_alone_on_the_page_and_in_the_receipt(
    page: Page, url: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfeb\x00a\x00d\xd8")  # half a surrogate pair
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.txt").write_text(f"This is {name}.\n")
    first = await start(page, url, tmp_path)
    await expect(page.locator(".run .pill")).to_have_text("Ready, with failures", timeout=60_000)

    await page.get_by_role("button", name="Retry failed (1)").click()

    await page.wait_for_function("first => !location.href.endsWith(first)", arg=first)
    await expect(page.locator(".run .pill")).to_have_text("Ready, with failures", timeout=60_000)
    await expect(page.locator(".check")).to_have_text("adds up")
    assert await figure(page, "Found") == 1
    assert await figure(page, "Searchable") == 3
    run = page.url.rpartition("/")[2]
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        receipt = (await http.get(f"/v1/runs/{run}/receipt")).json()
    assert receipt["counts"]["failed"] == {"undecodable": 1}
    assert receipt["adds_up"]


async def test_a_relative_path_is_refused_at_the_form(page: Page, url: str) -> None:
    await page.goto(url)
    await page.get_by_label("Path").fill("some/where")
    await page.keyboard.press("Enter")

    await expect(page.locator("#path-problem")).to_contain_text("absolute")


async def test_what_was_ingested_is_found_by_the_keyboard_alone(
    page: Page, url: str, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "tides.md").write_text("# Tides\n\nThe spring tide comes with the full moon.\n")
    await start(page, url, notes)
    await expect(page.locator(".run .pill")).to_have_text("Ready", timeout=60_000)

    await page.keyboard.press("/")
    await page.keyboard.type("spring tide")
    await page.keyboard.press("Enter")

    await expect(page.locator(".hit h3").first).to_contain_text("tides.md:1-3")
    await expect(page.locator(".hit pre").first).to_contain_text("full moon")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_scrolls_sideways_on_a_phone(browser: Browser, url: str, scheme: str) -> None:
    context = await browser.new_context(
        viewport={"width": 360, "height": 740},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = await context.new_page()

    await page.goto(url)
    await expect(page.locator("h1")).to_be_visible()

    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await context.close()
