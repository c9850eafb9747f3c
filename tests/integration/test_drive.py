"""Google Drive is read whole and cheaply, whatever happens there meanwhile."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import pytest

from connectors import egress
from connectors.artifact import Ref, SkipReason
from connectors.connector import Fetched
from connectors.drive.config import DriveConfig, DriveCursor, PickedConfig
from connectors.drive.crawl import DriveConnector, narrow
from connectors.drive.fake.generate import drive as fill
from connectors.drive.fake.world import ROOT, File, Guard, World
from connectors.drive.protocol import FOLDER, Log, file_of
from connectors.drive.quota import PRICES, Call
from connectors.egress import Exceptions
from connectors.errors import (
    ArtifactGone,
    ArtifactUnreadable,
    ConnectorError,
    ReauthorizationNeeded,
    SourceUnavailable,
)
from connectors.events import (
    AccessLost,
    Checkpoint,
    Cursor,
    Event,
    Failed,
    Skipped,
    Tombstone,
    Upsert,
)
from connectors.fakes.google import Fault
from connectors.world import artifacts
from tests import papers
from tests.forwarding import forwarding
from tests.google import UNHURRIED_DRIVE, drive, opened_drive

DOCUMENT = "application/vnd.google-apps.document"
UNITS = 1_000_000_000
OWN = Log().key
SEEDS = "HEADWATER_TEST_SEEDS"
"""How many crawls are disturbed: 12, or as many as it says."""


def chosen(*folders: str) -> DriveConfig:
    return DriveConfig(folders=folders, units_a_minute=UNITS)


async def read(
    connector: DriveConnector,
    cursor: Cursor | None = None,
    *,
    log: Log = Log(),  # noqa: B008  # frozen
    stop: int | None = None,
) -> list[Event]:
    told: list[Event] = []
    async for event in connector.read(log.key, cursor):
        told.append(event)
        if isinstance(event, Checkpoint) and stop is not None and len(told) >= stop:
            break
    return told


def last(events: list[Event]) -> DriveCursor:
    cursors = [event.cursor for event in events if isinstance(event, Checkpoint)]
    assert isinstance(cursors[-1], DriveCursor)
    return cursors[-1]


def ids(events: Sequence[Event]) -> list[str]:
    return [file_of(each.ref.external_id) for each in artifacts(events)]


def refs(events: Sequence[Event]) -> list[Ref]:
    return [artifact.ref for artifact in artifacts(events)]


def gone(events: Sequence[Event]) -> set[str]:
    return {file_of(e.ref.external_id) for e in events if isinstance(e, Tombstone)}


def lost(events: Sequence[Event]) -> set[str]:
    told = (each.ref for each in events if isinstance(each, AccessLost))
    return {file_of(ref.external_id) for ref in told if ref is not None}


def kept(events: Sequence[Event]) -> set[str]:
    """What there is after these events, in their order."""
    so_far: set[str] = set()
    for event in events:
        so_far -= gone([event]) | lost([event])
        so_far.update(ids([event]))
    return so_far


def is_quiet(events: list[Event]) -> bool:
    (end,) = [each for each in events if isinstance(each, Checkpoint) and each.done]
    return end.quiet


async def fetched(connector: DriveConnector, file: str) -> Fetched:
    ref = Log().ref(file)
    return (await connector.fetch([ref]))[ref]


async def test_everything_goes_through_the_proxy_of_the_operator() -> None:
    world = World()
    file = world.add("a.txt", content=b"Through the proxy.")
    async with forwarding() as forward:
        with drive(world) as origin, egress.excepting(Exceptions(proxy=forward.url)):
            async with opened_drive(origin) as connector:
                told = await read(connector)
                content = await fetched(connector, file)

    assert ids(told) == [file]
    assert content == b"Through the proxy."
    assert set(forward.asked) == {origin.removeprefix("http://")}


async def test_second_read_of_an_unchanged_drive_costs_one_request() -> None:
    world = World()
    fill(world, files=30)
    with drive(world) as origin:
        async with opened_drive(origin) as connector:
            before = await read(connector)
        spent = len(world.calls)
        async with opened_drive(origin, config=UNHURRIED_DRIVE) as connector:
            after = await read(connector, last(before))

    assert artifacts(before)
    assert not artifacts(after)
    assert is_quiet(after)
    assert world.calls[spent:] == [Call.DRIVES, Call.CHANGES]


async def test_drive_of_files_costs_a_list_a_page_and_a_download_a_file() -> None:
    world = World()
    for number in range(50):
        world.add(f"{number}.txt")
    with drive(world) as origin:
        async with opened_drive(origin, page=20) as connector:
            got = await connector.fetch(refs(await read(connector)))

    assert set(got.values()) == {b"What is in it."}
    assert world.calls.count(Call.LIST) == 3 + 1  # and the folders
    assert world.calls.count(Call.DOWNLOAD) == 50
    assert world.units(PRICES) == 50 * 200 + 6 * 100 + 2 * 5


@pytest.mark.timeout(300)  # over real sockets; a thousand take some minutes
@pytest.mark.parametrize("twelve", range(-(-int(os.environ.get(SEEDS, "12")) // 12)))
async def test_nothing_is_missed_of_what_changes_during_a_crawl(twelve: int) -> None:
    for seed in range(12 * twelve, 12 * twelve + 12):
        dice = Random(seed)  # noqa: S311  # repeatable
        world, folder = World(), ""
        if seed % 2:
            folder = world.folder("Chosen")
        fill(world, files=dice.randint(0, 12), seed=seed)
        stop = dice.choice([None, dice.randint(1, 9)])
        world.before = lambda at, dice=dice: meddle(at, dice)
        config = chosen(folder) if folder else UNHURRIED_DRIVE
        with drive(world, checked=False) as origin:
            async with opened_drive(origin, page=3, config=config) as connector:
                first = await read(connector, stop=stop)
            async with opened_drive(origin, page=3, config=config) as connector:
                rest = [] if stop is None else await read(connector, last(first))
            world.before = None
            async with opened_drive(origin, page=3, config=config) as connector:
                after = await read(connector, last(rest or first))

        there = {file.id for file in world.listing() if is_there(world, file, folder)}
        found = kept([*first, *rest, *after])
        assert there <= found, f"missed with the seed {seed}"
        assert found == there, f"kept with the seed {seed}"


def is_there(world: World, file: File, folder: str) -> bool:
    if file.mime == FOLDER or file.drive or world.is_trashed(file):
        return False
    return not folder or any(each.id == folder for each in world.above(file))


def meddle(world: World, dice: Random) -> None:
    """Somebody is at the drive."""
    files = [file for file in world.files.values() if file.parent or file.mime != FOLDER]
    folders = [f.id for f in world.files.values() if f.mime == FOLDER and not world.is_trashed(f)]
    file, number = dice.choice(files) if files else None, dice.randrange(10)
    if number == 0 or file is None:
        world.add(f"new {dice.randrange(10**6)}", parent=dice.choice(folders))
    elif number <= 2:
        old = datetime(2020, 1, 1, tzinfo=UTC) if number == 2 else None
        world.write(file.id, b"Written anew.", modified=old)
    elif number <= 4:
        move(world, file, dice.choice(folders))
    elif number <= 6:
        take(world, file, number=dice.randrange(3))


def move(world: World, file: File, folder: str) -> None:
    """A folder never moves into itself, nor into another drive, as Drive has it."""
    inside = {folder, *(each.id for each in world.above(world.files[folder]))}
    same = world.files[folder].drive == file.drive
    if file.id not in inside and (same or file.mime != FOLDER):
        world.move(file.id, folder)


def take(world: World, file: File, *, number: int) -> None:
    """Or bring back."""
    if number == 0:
        world.trash(file.id, back=file.trashed)
    elif file.mime != FOLDER and number == 1:
        world.lose(file.id, back=file.id in world.away)
    elif file.mime != FOLDER:
        world.delete(file.id)


async def test_what_lies_in_a_trashed_folder_is_told_as_gone_and_comes_back_with_it() -> None:
    world = World()
    folder = world.folder("Plans")
    inner = world.folder("Old", parent=folder)
    files = {world.add("a.txt", parent=folder), world.add("b.txt", parent=inner)}
    other = world.add("c.txt")
    with drive(world) as origin:
        async with opened_drive(origin) as connector:
            before = await read(connector)
        world.trash(folder)
        async with opened_drive(origin) as connector:
            trashed = await read(connector, last(before))
        world.trash(folder, back=True)
        async with opened_drive(origin) as connector:
            back = await read(connector, last(trashed))

    assert set(ids(before)) == {*files, other}
    assert gone(trashed) == files
    assert set(ids(back)) == files


async def test_loss_of_access_is_told_from_deletion() -> None:
    world = World()
    unshared, trashed, moved = (world.add(f"{number}.txt", parent="") for number in range(3))
    team = world.share("Team")
    with drive(world) as origin:
        async with opened_drive(origin) as connector:
            before = await read(connector)
        world.lose(unshared)
        world.trash(trashed)
        world.move(moved, team)
        async with opened_drive(origin) as connector:
            after = await read(connector, last(before))
            elsewhere = await read(connector, log=Log(team))
        world.lose(unshared, back=True)
        async with opened_drive(origin) as connector:
            again = await read(connector, last(after))

    assert lost(after) == {unshared}
    assert gone(after) == {trashed, moved}
    assert ids(elsewhere) == [moved]
    assert ids(again) == [unshared]


async def test_shared_drive_that_its_member_left_is_lost_as_a_whole() -> None:
    world = World()
    team = world.share("Team")
    world.add("a.txt", parent=team)
    with drive(world) as origin:
        async with opened_drive(origin) as connector:
            before = await read(connector)
        world.leave(team)
        async with opened_drive(origin) as connector:
            after = await read(connector, last(before))
            parts = [part.key for part in (await connector.plan()).partitions]

    assert AccessLost(Log(team).key) in after
    assert parts == [OWN]


async def test_chosen_folder_that_is_not_there_any_more_is_told_and_nothing_is_deleted() -> None:
    world = World()
    there, away = world.folder("There"), world.folder("Away")
    file = world.add("a.txt", parent=there)
    world.add("b.txt", parent=away)
    world.lose(away)
    with drive(world) as origin:
        async with opened_drive(origin, config=chosen(there, away)) as connector:
            keys = [part.key for part in (await connector.plan()).partitions]
            told = [event for key in keys async for event in connector.read(key, None)]
            census = [event async for event in connector.census(OWN)]
            bad = [probe for probe in await connector.check() if not probe.well]

    (failed,) = [event for event in told if isinstance(event, Failed)]
    assert ids(told) == [file]
    assert failed.ref is None
    assert "not shared with this account" in failed.detail
    assert not census
    assert len(bad) == 1


async def test_file_is_named_with_its_folders_and_who_made_it() -> None:
    world = World()
    folder = world.folder("Plans", parent=world.folder("2026/27"))
    exported = b"# Budget\n\n![][image1]\n\n[image1]: <data:image/png;base64,iVBORw0KGgo=>\n"
    world.add("Budget", exported, parent=folder, mime=DOCUMENT)
    with drive(world) as origin:
        async with opened_drive(origin) as connector:
            told = await read(connector)
            (body,) = (await connector.fetch(refs(told))).values()

    (artifact,) = artifacts(told)
    assert artifact.path == "2026_27/Plans/Budget.md"
    assert artifact.title == "Budget"
    assert artifact.mime == "text/markdown"
    assert artifact.meta["owner"] == "Ann"
    assert artifact.url
    assert body == b"# Budget\n\n![][image1]\n\n"


async def test_what_has_no_text_is_skipped_before_any_download() -> None:
    world = World()
    world.add("form", b"", mime="application/vnd.google-apps.form")
    world.add("link", b"", mime="application/vnd.google-apps.shortcut")
    world.add("photo", b"\xff\xd8", mime="image/jpeg")
    world.add("nothing.txt", b"")
    world.add("id_rsa", b"secret")
    world.add("guarded.txt")
    world.files[list(world.files)[-1]].guard = Guard.DOWNLOAD
    with drive(world) as origin:
        async with opened_drive(origin) as connector:
            told = await read(connector)

    reasons = {event.title: event.reason for event in told if isinstance(event, Skipped)}
    assert not artifacts(told)
    assert reasons == {
        "form": SkipReason.BINARY,
        "link": SkipReason.LINK,
        "photo": SkipReason.BINARY,
        "nothing.txt": SkipReason.EMPTY,
        "id_rsa": SkipReason.SECRET,
        "guarded.txt": SkipReason.FORBIDDEN,
    }


async def test_what_only_its_download_tells_is_a_skip_with_its_reason() -> None:
    world = World()
    config = DriveConfig(max_bytes=100, units_a_minute=UNITS)
    grown, emptied, zeros, harmful, huge = (world.add(f"{number}.txt") for number in range(5))
    document = world.add("long", b"x" * 10_000_001, mime=DOCUMENT)
    with drive(world) as origin:
        async with opened_drive(origin, config=config) as connector:
            told = refs(await read(connector))
            world.write(grown, b"x" * 1_000_000)
            world.write(emptied, b"")
            world.write(zeros, b"a\0b")
            world.files[harmful].guard = Guard.ABUSE
            got = await connector.fetch(told)

    answers = {file_of(ref.external_id): answer for ref, answer in got.items()}
    skips = {name: each.reason for name, each in answers.items() if isinstance(each, Skipped)}
    assert answers[huge] == b"What is in it."
    assert skips == {
        grown: SkipReason.TOO_LARGE,
        emptied: SkipReason.EMPTY,
        zeros: SkipReason.BINARY,
        harmful: SkipReason.FORBIDDEN,
        document: SkipReason.TOO_LARGE,
    }


async def test_documents_are_read_as_text_and_those_that_cannot_be_say_why() -> None:
    world = World()
    pdf = "application/pdf"
    terms = world.add("terms.pdf", papers.pdf(), mime=pdf)
    locked = world.add("locked.pdf", papers.pdf(encrypted=True), mime=pdf)
    torn = world.add("torn.pdf", b"torn", mime=pdf)
    sheet = world.add("Prices", papers.sheets(), mime="application/vnd.google-apps.spreadsheet")
    with drive(world) as origin:
        async with opened_drive(origin) as connector:
            told = await read(connector)
            got = await connector.fetch(refs(told))

    answers = {file_of(ref.external_id): answer for ref, answer in got.items()}
    assert answers[terms] == b"Terms of delivery\n"
    assert b"## Stock" in bytes(str(answers[sheet]), "utf-8")
    assert isinstance(answers[torn], ArtifactUnreadable)
    skipped = answers[locked]
    assert isinstance(skipped, Skipped)
    assert skipped.reason is SkipReason.ENCRYPTED


async def test_download_that_fails_for_good_spoils_no_other_file() -> None:
    world = World()
    bad, well = world.add("a.txt"), world.add("b.txt")
    world.files[bad].guard = Guard.BROKEN
    with drive(world) as origin:
        async with opened_drive(origin) as connector:
            got = await connector.fetch(refs(await read(connector)))
            with pytest.raises(SourceUnavailable):
                await connector.fetch([Log().ref(bad)])

    assert isinstance(got[Log().ref(bad)], SourceUnavailable)
    assert got[Log().ref(well)] == b"What is in it."


async def test_file_that_was_deleted_since_it_was_listed_spoils_no_other() -> None:
    world = World()
    first, second = world.add("a.txt"), world.add("b.txt")
    with drive(world) as origin:
        async with opened_drive(origin) as connector:
            told = refs(await read(connector))
            world.delete(first)
            got = await connector.fetch(told)

    assert isinstance(got[Log().ref(first)], ArtifactGone)
    assert got[Log().ref(second)] == b"What is in it."


async def test_limit_of_the_pace_costs_a_wait_and_no_file() -> None:
    world = World()
    world.add("a.txt")
    with drive(world) as origin:
        async with opened_drive(origin) as connector:
            told = refs(await read(connector))
            world.faults = {Fault.PACE: 2, Fault.TOO_MANY: 1}
            (got,) = (await connector.fetch(told)).values()

    assert got == b"What is in it."


async def test_scope_that_was_taken_back_asks_its_owner() -> None:
    world = World(faults={Fault.SCOPE: 1})
    with drive(world) as origin:
        async with opened_drive(origin) as connector:
            with pytest.raises(ReauthorizationNeeded) as caught:
                await read(connector)

    assert caught.value.cause == "scope_reduced"
    assert caught.value.source == "Google Drive"


async def test_only_picked_files_are_read_and_each_run_looks_at_all_of_them() -> None:
    world = World(picking=True)
    picked, _ = world.add("a.txt", parent=world.share("Team")), world.add("b.txt")
    world.files[picked].picked = True
    config, log = PickedConfig(units_a_minute=UNITS), Log(picked=True)
    with drive(world) as origin:
        async with opened_drive(origin, config=config) as connector:
            scopes = [scope async for scope in connector.discover()]
            before = await read(connector, log=log)
        async with opened_drive(origin, config=config) as connector:
            after = await read(connector, last(before), log=log)

    assert [scope.artifacts for scope in scopes] == [1]
    assert ids(before) == ids(after) == [picked]


async def test_folders_are_offered_and_the_chosen_ones_are_read() -> None:
    world = World()
    folder, team = world.folder("Plans"), world.share("Team")
    world.folder("Inner", parent=folder)
    own = world.add("a.txt", parent=folder)
    shared = world.add("b.txt", parent=team)
    world.add("c.txt")
    with drive(world) as origin:
        async with opened_drive(origin) as connector:
            scopes = {scope.title: scope.key async for scope in connector.discover()}
        config = narrow(UNHURRIED_DRIVE, [scopes["Plans"], scopes["Team"]])
        async with opened_drive(origin, config=config) as connector:
            plan = await connector.plan()
            told = [e for part in plan.partitions async for e in connector.read(part.key, None)]

    assert scopes.keys() == {"My Drive", "Plans", "Team"}
    assert set(ids(told)) == {own, shared}
    assert [part.artifacts for part in plan.partitions] == [None, 1]


async def test_whole_drive_of_the_user_is_chosen_by_its_name() -> None:
    world = World()
    own = world.add("a.txt")
    world.add("shared with me.txt", parent="")
    with drive(world) as origin:
        async with opened_drive(origin, config=chosen("root")) as connector:
            told = await read(connector)

    assert ROOT in world.files
    assert ids(told) == [own]


@pytest.mark.parametrize(
    "text",
    [
        "https://drive.google.com/drive/folders/1AbC_d-e",
        "https://drive.google.com/drive/u/0/folders/1AbC_d-e?usp=sharing",
        "1AbC_d-e",
    ],
)
def test_folder_may_be_given_by_its_address(text: str) -> None:
    assert DriveConfig(folders=(text,)).folders == ("1AbC_d-e",)


async def test_fetch_by_reference_needs_no_listing() -> None:
    world = World()
    file = world.add("a.txt")
    with drive(world) as origin:
        async with opened_drive(origin) as connector:
            got = await fetched(connector, file)

    assert got == b"What is in it."
    assert Call.LIST not in world.calls
    assert not isinstance(got, ConnectorError | Upsert)
