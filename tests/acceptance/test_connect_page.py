"""Connecting an account in a real browser: from choosing a source to the finished run, and back."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from connectors.fakes.grants import Provider
from connectors.fakes.oauth import serving
from tests import drawers, forge
from tests.acceptance.browsers import browsing, needs_chromium
from tests.acceptance.stacks import answering, running_stack

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(240),
    needs_chromium,
]


@dataclass(frozen=True)
class Site:
    url: str
    fake: Provider
    provider_url: str
    data: Path
    environment: Mapping[str, str]

    def leaks(self) -> list[str]:
        """Files of the stack, databases, dumps and logs alike, that bear a secret."""
        known = [*self.fake.access, *self.fake.refresh, *self.fake.spent, self.fake.client_secret]
        assert len(known) > 1
        return [
            str(file)
            for file in self.data.rglob("*")
            if file.is_file() and any(each.encode() in file.read_bytes() for each in known)
        ]

    def control(self, **wish: object) -> None:
        httpx.post(f"{self.provider_url}/control", json=wish, trust_env=False).raise_for_status()

    async def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as http:
            return await http.request(method, path, json=body)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    home = tmp_path_factory.mktemp("connecting")
    fake = Provider(frozenset())
    with ExitStack() as stack:
        provider_url = stack.enter_context(serving(fake))
        packages = os.pathsep.join([str(drawers.install(home / "package")), str(ROOT)])
        forge_url = stack.enter_context(forge.serving(fake))
        environment = {
            **drawers.environment(provider_url, secret=fake.client_secret),
            **forge.environment(forge_url, provider_url, secret=fake.client_secret),
            "PYTHONPATH": packages,
        }
        url, _ = stack.enter_context(running_stack(home / "data", environment=environment))
        names = ("fake", "github", "google")
        fake.redirect_uris = frozenset(f"{url}/v1/oauth/{name}/callback" for name in names)
        asyncio.run(answering(url))
        yield Site(url, fake, provider_url, home / "data", environment)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncGenerator[Browser]:
    async with browsing() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def sources(browser: Browser, site: Site) -> AsyncGenerator[Page]:
    """Where a source is to be chosen, in a browser that was never here."""
    complaints: list[str] = []
    context = await browser.new_context()
    page = await context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(site.url)
    await page.get_by_role("button", name="Connect an account").click()
    yield page
    await context.close()
    assert complaints == []


@pytest_asyncio.fixture(loop_scope="module")
async def page(sources: Page) -> Page:
    """At the provider's door: a source is chosen, and nothing was allowed yet."""
    await sources.get_by_role("button", name="Drawers").click()
    return sources


async def to_provider(page: Page, *, name: str = "Fake") -> None:
    await page.get_by_role("link", name=f"Go on to {name}").click()
    await expect(page.get_by_role("button", name="Deny")).to_be_visible()


async def test_account_is_connected_from_choosing_a_source_to_the_finished_run(
    page: Page, site: Site
) -> None:
    await expect(page.get_by_text("Read the notes in your drawers")).to_be_visible()
    await expect(page.get_by_text("can be left out")).to_be_visible()
    assert "#" not in page.url
    await to_provider(page)
    await page.get_by_role("button", name="Allow").click()

    await expect(page.get_by_role("heading", name="What should be ingested?")).to_be_visible()
    await page.get_by_label("Drawer of recipes").check()
    await expect(page.get_by_role("status").filter(has_text="5 artifacts")).to_be_visible()
    await page.reload()
    await page.get_by_label("Drawer of recipes").check()
    await expect(page.get_by_text("That is 5 artifacts, 1 kB, about 1 requests.")).to_be_visible()
    await page.get_by_role("button", name="Start").click()

    await expect(page.get_by_text("You may close this page")).to_be_visible()
    await page.reload()
    await page.get_by_role("link", name="Watch it").click()
    await expect(page.locator(".run .pill")).to_have_text("Ready", timeout=120_000)
    figures = page.locator("dl.figures div", has_text="Processed").locator("dd")
    await expect(figures).to_have_text("5")
    assert site.leaks() == []


async def test_repository_at_github_is_connected_up_to_its_finished_run(
    sources: Page, site: Site
) -> None:
    await sources.get_by_role("button", name="GitHub").click()
    await expect(sources.get_by_text("nothing is ever written")).to_be_visible()
    await to_provider(sources, name="GitHub")
    await sources.get_by_role("button", name="Allow").click()

    await sources.get_by_label(forge.REPOSITORY).check()
    await sources.reload()
    await sources.get_by_label(forge.REPOSITORY).check()
    await sources.get_by_role("button", name="Start").click()
    await sources.get_by_role("link", name="Watch it").click()
    await sources.reload()

    await expect(sources.locator(".run .pill")).to_have_text("Ready", timeout=120_000)
    figures = sources.locator("dl.figures div", has_text="Processed").locator("dd")
    await expect(figures).to_have_text("8")
    assert site.leaks() == []


async def test_denied_closed_and_partial_consent_at_github_have_each_a_sentence(
    sources: Page,
) -> None:
    notice = sources.locator(".notice")
    await sources.get_by_role("button", name="GitHub").click()
    await to_provider(sources, name="GitHub")
    await sources.get_by_role("button", name="Deny").click()
    await expect(notice).to_contain_text("You did not allow Headwater to read from GitHub")

    await to_provider(sources, name="GitHub")
    await sources.go_back()
    await expect(notice).to_contain_text("You left GitHub before you decided")

    await to_provider(sources, name="GitHub")
    await sources.get_by_label("read:user").uncheck()
    await sources.get_by_role("button", name="Allow").click()
    await expect(notice).to_contain_text("without “To show which account is connected.”")


async def test_drive_is_offered_as_a_whole_and_by_the_file(sources: Page) -> None:
    await sources.get_by_role("button", name="Google Drive Documents").click()
    await expect(sources.get_by_text("auth/drive.readonly")).to_be_visible()
    await expect(sources.get_by_text("nothing is ever changed")).to_be_visible()
    await sources.get_by_role("button", name="Choose another source").click()

    await sources.get_by_role("button", name="Files of Google Drive").click()
    await expect(sources.get_by_text("auth/drive.file")).to_be_visible()
    await to_provider(sources, name="Google")

    assert "trigger_onepick=true" in sources.url
    assert "drive.readonly" not in sources.url


async def test_who_denies_reads_that_nothing_was_connected(page: Page) -> None:
    await to_provider(page)

    await page.get_by_role("button", name="Deny").click()

    await expect(page.locator(".notice")).to_contain_text("You did not allow Headwater to read")
    await page.reload()
    await expect(page.locator(".notice")).to_contain_text("You did not allow Headwater to read")


async def test_who_goes_back_without_deciding_reads_that(page: Page) -> None:
    await to_provider(page)

    await page.go_back()

    await expect(page.locator(".notice")).to_contain_text("You left Drawers before you decided")
    await page.get_by_role("button", name="Choose another source").click()
    await expect(page.get_by_role("button", name="Folder or git repository")).to_be_visible()


async def test_who_leaves_out_what_is_needed_reads_what(page: Page) -> None:
    await to_provider(page)

    await page.get_by_label(drawers.NEEDED).uncheck()
    await page.get_by_role("button", name="Allow").click()

    notice = page.locator(".notice")
    await expect(notice).to_contain_text("without “Read the notes in your drawers”")


async def test_who_leaves_out_what_is_welcome_goes_on_without(page: Page) -> None:
    await to_provider(page)

    await page.get_by_label(drawers.WELCOME).uncheck()
    await page.get_by_role("button", name="Allow").click()

    await expect(page.locator(".notice")).to_contain_text("You left out")
    await expect(page.get_by_label("Drawer of letters")).to_be_visible()


async def test_run_of_a_revoked_grant_waits_and_goes_on_after_a_new_consent(
    page: Page, site: Site
) -> None:
    await to_provider(page)
    await page.get_by_role("button", name="Allow").click()
    await page.get_by_label("Drawer of letters").check()
    await expect(page.get_by_role("button", name="Start")).to_be_enabled()
    site.control(revoke=True)
    await page.get_by_role("button", name="Start").click()
    await page.get_by_role("link", name="Watch it").click()

    await expect(page.locator(".run .pill")).to_have_text("Waiting", timeout=120_000)
    await expect(page.locator(".reason")).to_contain_text("revoked")
    await page.get_by_role("button", name="Connect it again").click()
    await to_provider(page)
    await page.get_by_role("button", name="Allow").click()
    await expect(page.locator(".notice")).to_contain_text("Drawers is connected again")
    await page.get_by_role("link", name="Watch it").click()

    await expect(page.locator(".run .pill")).to_have_text("Ready", timeout=120_000)


async def test_link_that_leads_nowhere_says_what_to_do(browser: Browser, site: Site) -> None:
    page = await browser.new_page()

    await page.goto(f"{site.url}/connect#0193a2de-7c55-7d6e-b6a5-3f0c54c6d0a1.guess")
    await expect(page.get_by_role("alert")).to_contain_text("Ask for a new link")
    await page.goto(f"{site.url}/connect?problem=consent")
    await expect(page.get_by_role("alert")).to_contain_text("longer than ten minutes")

    await page.close()


async def test_account_is_ingested_by_name_with_a_token_of_the_environment(site: Site) -> None:
    token = site.fake.personal_token("ada")
    environment = {**os.environ, **site.environment, "DRAWERS_TOKEN": token}

    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "api.cli", "ingest", "drawers:recipes", "--json"],
        env={**environment, "HEADWATER_API_URL": site.url},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["counts"]["found"] == 5
    assert token not in done.stdout + done.stderr


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_fits_a_phone(browser: Browser, site: Site, scheme: str) -> None:
    context = await browser.new_context(
        viewport={"width": 360, "height": 740},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = await context.new_page()
    made = await site.ask("POST", "/v1/connect-sessions", {"kind": drawers.KIND})

    await page.goto(made.json()["url"])
    await expect(page.get_by_role("link", name="Go on to Fake")).to_be_visible()

    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await context.close()
