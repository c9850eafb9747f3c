"""What reading GitHub costs, counted by the fake: in requests, and in what is read again."""

import httpx

from connectors.events import Checkpoint, Event, Upsert
from connectors.github.fake.app import Fake
from connectors.github.fake.desk import open_desk, summary
from connectors.github.fake.generate import fill
from connectors.github.fake.world import Repo
from tests import hub

FILES, ISSUES, COMMENTS = 10_000, 2_000, 5_000


def large() -> tuple[Fake, Repo]:
    fake = hub.fake()
    return fake, fill(fake.world, hub.NAME, files=FILES, issues=ISSUES, comments=COMMENTS)


async def run(fake: Fake, index: hub.Index) -> dict[str, int]:
    """Read all, then ask what is gone, as the runtime does; answers requests by their purpose."""
    fake.world.asked.clear()
    index.fetched.clear()
    index.events.clear()
    async with hub.inside(fake, at=index.host) as connector:
        await connector.plan()
        await index.crawl(connector)
        await index.tidy(connector)
    return summary(fake.world.asked)


async def test_requests_are_few_at_first_and_next_to_none_later() -> None:
    fake, repo = large()
    index = hub.Index()

    first = await run(fake, index)
    assert len(index.contents) == FILES + ISSUES
    assert first["code"] <= 5
    assert first["rest"] <= (ISSUES + COMMENTS) / 100

    second = await run(fake, index)
    assert second["requests"] <= 5
    assert all(asked.conditional and asked.status == 304 for asked in fake.world.asked)
    assert index.fetched == []
    assert not [event for event in index.events if isinstance(event, Upsert)]

    changed = [path for path in repo.files if path.endswith(".py")][::1_000][:10]
    fake.world.push(repo, {path: f"CHANGED = {path!r}\n".encode() for path in changed})
    third = await run(fake, index)
    assert third["requests"] <= 20
    assert index.fetched == [f"file:{repo.id}:{path}" for path in sorted(changed)]
    assert index.contents[f"file:{repo.id}:{changed[0]}"] == f"CHANGED = {changed[0]!r}\n".encode()


async def test_many_changed_files_come_by_one_archive() -> None:
    fake = hub.fake()
    repo = fill(fake.world, hub.NAME, files=2_000, issues=0, comments=0)
    index = hub.Index()
    await run(fake, index)

    changed = [path for path in repo.files if path.endswith(".py")][:500]
    fake.world.push(repo, {path: f"CHANGED = {path!r}\n".encode() for path in changed})
    again = await run(fake, index)

    assert len(index.fetched) == 500
    assert sum("/tarball/" in asked.path for asked in fake.world.asked) == 1
    assert again["code"] <= 7


async def killed(fake: Fake, index: hub.Index, after: int) -> None:
    """Read the code and die after so many files, with what was stored so far."""
    async with hub.inside(fake) as connector:
        events = connector.read(hub.CODE, None)
        page: list[Event] = []
        told = 0
        async for event in events:
            page.append(event)
            told += isinstance(event, Upsert)
            if isinstance(event, Checkpoint):
                await index.store(connector, page)
                page = []
            if told >= after:
                break
        await events.aclose()


async def test_killed_crawl_goes_on_where_it_was() -> None:
    """Told again is at most the page in hand; the archive is opened once more."""
    fake = hub.fake()
    fill(fake.world, hub.NAME, files=1_000, issues=0, comments=0)
    index = hub.Index()
    await killed(fake, index, after=550)
    before = set(index.contents)
    fake.world.asked.clear()

    async with hub.inside(fake) as connector:
        await index.crawl(connector, [hub.CODE])

    told = {event.artifact.ref.external_id for event in index.events if isinstance(event, Upsert)}
    assert len(before) >= 400
    assert len(told & before) == 0
    assert len(index.contents) == 1_000
    assert len(fake.world.asked) <= 6


async def test_killed_crawl_of_issues_asks_for_at_most_one_page_twice() -> None:
    fake = hub.fake()
    fill(fake.world, hub.NAME, files=1, issues=1_000, comments=0)
    index = hub.Index()
    async with hub.inside(fake) as connector:
        events = connector.read(hub.ISSUES, None)
        page: list[Event] = []
        async for event in events:
            page.append(event)
            if isinstance(event, Checkpoint):
                await index.store(connector, page)
                page = []
            if len(index.contents) >= 500 and isinstance(event, Upsert):
                break
        await events.aclose()
    pages = [asked.query for asked in fake.world.asked if asked.path.endswith("/issues")]
    fake.world.asked.clear()

    async with hub.inside(fake) as connector:
        await index.crawl(connector, [hub.ISSUES])

    again = [asked.query for asked in fake.world.asked if asked.path.endswith("/issues")]
    assert len(index.contents) == 1_000
    assert len(set(again) & set(pages)) <= 1


async def test_running_fake_tells_what_it_was_asked_and_pushes_when_told_to() -> None:
    fake = hub.fake()
    repo = fill(fake.world, hub.NAME, files=20, issues=0, comments=0)
    index = hub.Index()
    await run(fake, index)

    transport = httpx.ASGITransport(open_desk(fake))
    async with httpx.AsyncClient(transport=transport, base_url="http://fake") as person:
        before = (await person.post("/fake/asked")).json()
        after = (await person.get("/fake/asked")).json()
        pushed = (await person.post("/fake/push?files=3")).json()
    await run(fake, index)

    assert (before["requests"] > 0, after["requests"]) == (True, 0)
    assert index.fetched == [f"file:{repo.id}:{path}" for path in pushed["changed"]]
    assert len(index.fetched) == 3
