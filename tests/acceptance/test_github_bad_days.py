"""What goes wrong at GitHub is told as what it is, and the rest of the source goes on."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from connectors.access import Anonymous, Given, Installation
from connectors.artifact import FailureClass
from connectors.errors import (
    Cause,
    CursorExpired,
    ReauthorizationNeeded,
    SourceMissing,
    SourceUnavailable,
)
from connectors.events import Checkpoint, Failed, Upsert, Waiting
from connectors.github.fake.app import Fake
from connectors.github.fake.faults import Fault
from connectors.github.fake.generate import fill
from connectors.github.fake.world import Account, Repo
from tests import hub

LIMITS = {
    Fault.PRIMARY_LIMIT: timedelta(minutes=12, seconds=1),
    Fault.SECONDARY_LIMIT: timedelta(seconds=60),
    Fault.RETRY_AFTER: timedelta(seconds=7),
}
ARCHIVES = (Fault.CUT_OFF, Fault.CUT_BETWEEN, Fault.HALF)


def made() -> tuple[Fake, Repo]:
    fake = hub.fake()
    return fake, hub.small(fake)


async def crawled(fake: Fake, **options: object) -> hub.Index:
    index = hub.Index()
    async with hub.inside(fake, **options) as connector:  # type: ignore[arg-type]  # as hub types each
        await index.crawl(connector)
    return index


@pytest.mark.parametrize("fault", LIMITS)
async def test_limit_is_a_wait_with_an_end_and_nothing_is_lost(fault: Fault) -> None:
    fake, _ = made()
    whole = await crawled(fake)
    watch = hub.Watch()
    watch.time = fake.world.now
    fake.script.plan(fault, "/issues$")

    index = await crawled(fake, watch=watch)

    waits = [event for event in index.events if isinstance(event, Waiting)]
    assert [wait.until for wait in waits] == [fake.world.now + LIMITS[fault]]
    assert sum(watch.slept) == LIMITS[fault].total_seconds()
    assert index.contents == whole.contents


async def test_second_refusal_in_a_row_waits_twice_as_long() -> None:
    fake, _ = made()
    watch = hub.Watch()
    fake.script.plan(Fault.SECONDARY_LIMIT, "/issues$", times=3)

    await crawled(fake, watch=watch)

    assert watch.slept == [60.0, 120.0, 240.0]


async def test_limit_that_graphql_tells_inside_a_good_answer_is_waited_for() -> None:
    fake, _ = made()
    watch = hub.Watch()
    watch.time = fake.world.now
    fake.script.plan(Fault.GRAPHQL_LIMIT, "/graphql")

    index = await crawled(fake, watch=watch)

    assert [event.reason for event in index.events if isinstance(event, Waiting)] == [
        "rate_limited"
    ]
    assert watch.slept == [721.0]


async def test_everybody_with_the_same_credential_waits() -> None:
    """Who comes later asks nothing while the credential is to rest, and says until when."""
    fake, _ = made()
    watch = hub.Watch()
    async with hub.inside(fake, watch=watch) as first, hub.inside(fake, watch=watch) as second:
        second.session.base = first.session.base
        fake.script.plan(Fault.SECONDARY_LIMIT, "/user$")
        with pytest.raises(SourceUnavailable) as refusal:
            await first.account()
        asked = len(fake.world.asked)
        with pytest.raises(SourceUnavailable, match="pause"):
            await second.account()

    assert refusal.value.retry_after == timedelta(seconds=60)
    assert len(fake.world.asked) == asked


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.HTML, Fault.GARBAGE])
async def test_passing_trouble_is_tried_again_from_where_it_was(fault: Fault) -> None:
    fake, _ = made()
    whole = await crawled(fake)
    index = hub.Index()
    async with hub.inside(fake, page=2) as connector:
        events = connector.read(hub.ISSUES, None)
        page = [await anext(events) for _ in range(4)]
        assert isinstance(page[-1], Checkpoint)
        await index.store(connector, page)
        fake.script.plan(fault, "/issues$")
        with pytest.raises(SourceUnavailable):
            await anext(events)
        await index.crawl(connector)

    assert index.contents == whole.contents


async def test_question_that_is_too_heavy_is_asked_in_halves() -> None:
    fake, _ = made()
    whole = await crawled(fake)
    fake.script.plan(Fault.TOO_HEAVY, "/graphql", times=3)

    index = await crawled(fake)

    assert index.contents == whole.contents


@pytest.mark.parametrize("times", [1, 99])
@pytest.mark.parametrize("fault", ARCHIVES)
async def test_damaged_archive_loses_no_file(fault: Fault, times: int) -> None:
    """Once damaged it is fetched again; damaged for good, the files are asked for by name."""
    fake = hub.fake()
    repo = fill(fake.world, hub.NAME, files=300, issues=0, comments=0)
    fake.script.plan(fault, "/codeload", times=times)

    index = await crawled(fake)

    for path, (_, content) in repo.files.items():
        assert index.contents[f"file:{repo.id}:{path}"] == content
    assert len(fake.world.asked) < 40


async def test_list_that_git_tree_cuts_off_is_walked() -> None:
    fake = hub.fake()
    repo = fill(fake.world, hub.NAME, files=300, issues=0, comments=0)
    fake.world.tree_entries = 60

    index = await crawled(fake, parts=["code"])

    assert len(index.contents) == len(repo.files)


async def test_conversation_that_goes_round_in_circles_fails_alone() -> None:
    fake, repo = made()
    for number in range(260):
        fake.world.comment(repo.talks[2], f"And {number}.")
    fake.script.plan(Fault.CURSOR_LOOP, "comments", times=99)

    index = await crawled(fake)

    (failed,) = [event for event in index.events if isinstance(event, Failed)]
    assert failed.ref is not None
    assert failed.ref.external_id == f"issue:{repo.id}:2"
    assert "no end" in failed.detail
    assert f"issue:{repo.id}:1" in index.contents


async def test_long_conversation_is_read_to_its_end() -> None:
    fake, repo = made()
    for number in range(120):
        fake.world.comment(repo.talks[2], f"And {number}.")

    index = await crawled(fake)

    text = index.contents[f"issue:{repo.id}:2"].decode()
    assert all(f"And {number}." in text for number in range(120))


async def test_pull_request_comes_with_its_review_and_the_lines_it_is_about() -> None:
    fake, repo = made()

    index = await crawled(fake)

    text = index.contents[f"issue:{repo.id}:3"].decode()
    assert "Review: eve approved" in text
    assert "On src/app.py:3 (open)" in text
    assert "@@ -1 +1 @@\n-old\n+new" in text
    assert "Why this?" in text


async def test_renamed_repository_keeps_its_ids() -> None:
    fake, repo = made()
    index = await crawled(fake)
    fake.world.rename(repo, "acme/other")
    fake.world.push(repo, {"src/one.py": b"one = 111\n"})
    before = set(index.contents)

    async with hub.inside(fake) as connector:
        await index.crawl(connector)

    assert set(index.contents) == before
    assert index.contents[f"file:{repo.id}:src/one.py"] == b"one = 111\n"


async def test_another_repository_under_the_same_name_is_not_taken_for_the_old_one() -> None:
    fake, repo = made()
    index = await crawled(fake)
    del fake.world.repos[hub.NAME]
    hub.small(fake)

    async with hub.inside(fake) as connector:
        with pytest.raises(CursorExpired):
            await index.crawl(connector, [hub.CODE])

    assert f"file:{repo.id}:README.md" in index.contents


async def test_force_push_in_the_middle_begins_anew() -> None:
    fake, repo = made()
    index = hub.Index()
    async with hub.inside(fake, page=2) as connector:
        events = connector.read(hub.CODE, None)
        async for event in events:
            if isinstance(event, Checkpoint):
                await index.store(connector, [event])
                break
        await events.aclose()
    fake.world.force_push(repo, {"README.md": b"# Rewritten\n"})

    async with hub.inside(fake) as connector:
        with pytest.raises(CursorExpired):
            await index.crawl(connector, [hub.CODE])
        index.cursors.clear()
        await index.crawl(connector, [hub.CODE])

    assert index.contents == {f"file:{repo.id}:README.md": b"# Rewritten\n"}


async def test_emptied_repository_is_told_and_what_was_read_is_kept() -> None:
    fake, repo = made()
    index = await crawled(fake)
    kept = dict(index.contents)
    repo.head = None
    index.events.clear()

    async with hub.inside(fake) as connector:
        await index.crawl(connector)

    (failed,) = [event for event in index.events if isinstance(event, Failed)]
    assert "is empty" in failed.detail
    assert failed.action == "Push something, then start again."
    assert index.contents == kept


async def test_repository_made_private_is_told_and_what_was_read_is_kept() -> None:
    fake, repo = made()
    index = await crawled(fake)
    repo.private = True
    fake.world.accounts[hub.TOKEN].sees_private = False
    index.events.clear()

    async with hub.inside(fake) as connector:
        await index.crawl(connector)

    failed = [event for event in index.events if isinstance(event, Failed)]
    assert {each.failure for each in failed} == {FailureClass.NOT_FOUND}
    assert all(each.ref is None and "access" in each.action for each in failed)


async def test_one_missing_repository_does_not_stop_the_others() -> None:
    fake, _ = made()
    index = hub.Index()
    async with hub.inside(fake, repositories=["acme/gone", hub.NAME]) as connector:
        await index.crawl(connector, [p.key for p in (await connector.plan()).partitions])

    failed = [event for event in index.events if isinstance(event, Failed)]
    assert {each.failure for each in failed} == {FailureClass.NOT_FOUND}
    assert any(isinstance(event, Upsert) for event in index.events)


async def test_only_repository_that_is_missing_stops_the_run() -> None:
    fake = hub.fake()

    with pytest.raises(SourceMissing) as refusal:
        await crawled(fake)

    assert "give the credential access" in refusal.value.action


@pytest.mark.parametrize(
    ("fault", "cause", "advice"),
    [
        (Fault.SSO, Cause.SSO_REQUIRED, "https://github.com/orgs/acme/sso"),
        (Fault.SCOPE, Cause.SCOPE_REDUCED, "read access to contents"),
    ],
)
async def test_refusal_names_its_cause_and_the_way_out(
    fault: Fault, cause: Cause, advice: str
) -> None:
    fake, _ = made()
    fake.script.plan(fault, "/commits/HEAD")

    with pytest.raises(ReauthorizationNeeded) as refusal:
        await crawled(fake)

    assert refusal.value.cause is cause
    assert advice in refusal.value.action


async def test_revoked_token_in_the_middle_asks_its_owner_and_goes_on_afterwards() -> None:
    fake, _ = made()
    whole = await crawled(fake)
    index, keys = hub.Index(), hub.Keys(fake)
    async with hub.inside(fake, access=keys, page=2) as connector:
        await index.crawl(connector, [hub.CODE])
        del fake.world.accounts[hub.TOKEN]
        with pytest.raises(ReauthorizationNeeded) as refusal:
            await index.crawl(connector, [hub.ISSUES])
    fake.world.accounts["ghp_other"] = Account("ada")
    keys.held = "ghp_other"
    fake.world.asked.clear()
    async with hub.inside(fake, access=keys) as connector:
        await index.crawl(connector)

    assert refusal.value.cause is Cause.REVOKED
    assert index.contents == whole.contents
    assert not any("/tarball/" in asked.path for asked in fake.world.asked)


async def test_app_installation_makes_its_own_tokens_and_another_when_one_dies() -> None:
    fake, _ = made()
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    app = Installation(app_id="1", installation_id=7, private_key=SecretStr(pem))
    fake.world.installed["7"] = "ghs_first"
    fake.world.accounts["ghs_first"] = Account("app")
    index = hub.Index()
    async with hub.inside(fake, access=Given(app, "GitHub")) as connector:
        await index.crawl(connector, [hub.CODE])
        del fake.world.accounts["ghs_first"]
        fake.world.installed["7"] = "ghs_second"
        fake.world.accounts["ghs_second"] = Account("app")
        await index.crawl(connector, [hub.ISSUES])
        assert [scope.title async for scope in connector.discover()] == [hub.NAME]
        fake.world.accounts.clear()
        fake.world.installed.clear()
        with pytest.raises(ReauthorizationNeeded, match="not installed"):
            await index.crawl(connector, [hub.RELEASES])

    minted = [asked for asked in fake.world.asked if asked.path.endswith("/access_tokens")]
    assert len(minted) == 3


async def test_without_a_credential_what_is_public_is_read_but_no_comments() -> None:
    fake, repo = made()

    index = await crawled(fake, access=Given(Anonymous()))

    assert f"file:{repo.id}:src/one.py" in index.contents
    assert b"only to those it knows" in index.contents[f"issue:{repo.id}:1"]


async def test_no_secret_is_in_what_is_told() -> None:
    fake, _ = made()
    index = await crawled(fake)
    del fake.world.accounts[hub.TOKEN]

    with pytest.raises(ReauthorizationNeeded) as refusal:
        await crawled(fake)

    assert hub.TOKEN not in f"{refusal.value!r} {refusal.value.action} {index.events}"
