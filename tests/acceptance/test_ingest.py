"""A whole stack ingests a repository, and whoever watches is told the truth in time."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from api.client import AsyncClient
from api.frames import EventFrame, SnapshotFrame
from api.schemas import ReceiptView
from tests.acceptance.stacks import answering, running_stack

pytestmark = pytest.mark.timeout(240)

NOTES = 300
SOON_SECONDS = 5


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A README, many notes, and a picture."""
    place = tmp_path / "river"
    place.mkdir()
    (place / "README.md").write_text("# River\n\nHow the ferry crosses the river at night.\n")
    (place / "map.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    for number in range(NOTES):
        (place / f"note-{number:03}.md").write_text(f"# Note {number}\n\nIt says {number}.\n")
    subprocess.run(["git", "init", "-q"], cwd=place, check=True)
    commit(place)
    return place


@pytest.fixture
def torn(repository: Path) -> Path:
    """The same with a file that cannot be read."""
    (repository / "torn.md").write_bytes(b"\xff\xfet\x00o\x00r\x00n\xd8")  # half a surrogate pair
    commit(repository)
    return repository


def commit(place: Path) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for step in (("add", "-A"), (*who, "commit", "-qm", "All of it")):
        subprocess.run(["git", *step], cwd=place, check=True)


async def test_a_run_is_watched_from_its_request_to_its_receipt(
    repository: Path, tmp_path: Path
) -> None:
    with running_stack(tmp_path / "data") as (url, _):
        await answering(url)
        async with AsyncClient(url) as client:
            connection = await client.connect("local", {"path": str(repository)})

            first = await watched(client, connection.id)
            second = await watched(client, connection.id)
            [hit, *_] = await client.search("the ferry crosses the river")

    assert first.receipt.adds_up
    assert first.receipt.counts.found == NOTES + 2
    assert first.receipt.counts.processed == NOTES + 1
    assert first.receipt.counts.skipped == {"binary": 1}
    assert second.receipt.counts.unchanged == NOTES + 1
    assert second.receipt.counts.processed == 0
    assert second.receipt.counts.embedded == second.receipt.counts.model_calls == 0
    assert hit.path == "README.md"
    assert first.seconds_to("first_queryable_at") < SOON_SECONDS
    for story in (first, second):
        begin = story.begin.seq or 0
        seqs = [event.seq for event in story.events]
        assert seqs == [*range(begin + 1, begin + 1 + len(seqs))]
        assert story.state["counts"] == story.receipt.counts.model_dump()
        assert story.state["status"] == "succeeded"


async def test_a_retry_looks_at_what_failed_and_at_nothing_else(torn: Path, tmp_path: Path) -> None:
    with running_stack(tmp_path / "data") as (url, _):
        await answering(url)
        async with AsyncClient(url) as client:
            connection = await client.connect("local", {"path": str(torn)})
            first = await watched(client, connection.id)

            asked = await client.retry_failed(first.receipt.run_id)
            retry = await followed(client, asked.run.id)

    assert first.receipt.counts.failed == retry.receipt.counts.failed == {"undecodable": 1}
    assert retry.receipt.counts.found == 1
    assert retry.receipt.adds_up
    assert retry.receipt.index.artifacts == first.receipt.index.artifacts
    assert retry.state["status"] == "succeeded_with_failures"


@dataclass(frozen=True, slots=True)
class Story:
    """A run as a watcher saw it, and its receipt."""

    begin: SnapshotFrame
    events: list[EventFrame]
    receipt: ReceiptView

    @property
    def state(self) -> Mapping[str, Any]:
        state = dict(self.begin.state)
        for event in self.events:
            state |= event.patch
        return state

    def seconds_to(self, moment: str) -> float:
        begun, reached = (self.state[each] for each in ("started_at", moment))
        return (datetime.fromisoformat(reached) - datetime.fromisoformat(begun)).total_seconds()


async def watched(client: AsyncClient, connection_id: UUID) -> Story:
    started = await client.start(connection_id)
    return await followed(client, started.run.id)


async def followed(client: AsyncClient, run: UUID) -> Story:
    begin, *rest = [frame async for frame in client.follow(run)]
    assert isinstance(begin, SnapshotFrame)
    events = [frame for frame in rest if isinstance(frame, EventFrame)]
    assert len(events) == len(rest)
    return Story(begin, events, await client.receipt(run))
