"""After any history of any source, the index is that source, or says where it is not, and why."""

import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from connectors.access import Access, Given, Grant
from pipelines.settings import PipelineSettings
from storage import deletions
from storage.artifacts import ArtifactStatus, searchable
from storage.connections import Connection
from storage.database import Database
from storage.events import RunStatus
from storage.ids import LOCAL_TENANT
from storage.runs import Run
from storage.tables import artifacts, chunks
from tests import imap
from tests.ingesting import House, open_house
from tests.truthful import KINDS
from tests.truths import Killed, Source, Trouble

SEEDS = int(os.environ.get("HEADWATER_TEST_SEEDS", "200"))
"""How many histories of each connector."""

AT_ONCE = 10
STEPS = 4
TOKEN = Given(Grant(access_token=SecretStr("token")), source="The source")
NOW = timedelta()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with imap.serving(tmp_path_factory.mktemp("imap")) as port:
        yield port


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
async def test_after_each_run_the_index_is_the_source_or_says_where_and_why_not(
    database: Database, tmp_path: Path, port: int, kind: str, first: int
) -> None:
    settings = PipelineSettings(name="tester", egress_networks=imap.OURS.networks)
    async with open_house(database, settings=settings) as house:
        for seed in range(first, min(first + AT_ONCE, SEEDS)):
            async with opened(house, kind, seed, tmp_path, port) as history:
                await history.go(Random(seed))  # noqa: S311  # repeatable


@asynccontextmanager
async def opened(
    house: House, kind: str, seed: int, home: Path, port: int
) -> AsyncGenerator["History"]:
    async with KINDS[kind](seed, home, port) as source:
        access: Access | None = {"imap": imap.ACCESS, "gmail": TOKEN, "drive": TOKEN}.get(kind)
        specs = {**house.services.specs, kind: source.bridged(access)}
        house.services = replace(house.services, specs=specs)
        connection = await house.connect(kind, source.config, account=source.account)
        yield History(house, source, connection, f"{kind}, seed {seed}")


@dataclass(slots=True)
class History:
    house: House
    source: Source
    connection: Connection
    name: str

    async def go(self, dice: Random) -> None:
        await self.run(Trouble(kill_at=dice.choice([None, dice.randrange(12)])), "first")
        for step in range(STEPS):
            await self.source.change(dice, times=dice.randrange(5))
            trouble = Trouble(
                kill_at=dice.choice([None, None, dice.randrange(16)]),
                torn=dice.random() < 0.2,
                half=dice.random() < 0.2,
            )
            await self.run(trouble, f"step {step} {trouble}")

    async def run(self, trouble: Trouble, when: str) -> None:
        """One run to its end, also over a death, and what is true after it."""
        at, known = f"{self.name}, {when}", self.source.trouble
        known.kill_at, known.torn, known.half = trouble.kill_at, trouble.torn, trouble.half
        before = await self.index()
        run_id = await self.house.request(self.connection)
        with suppress(Killed, BaseExceptionGroup):
            await self.house.attempt(await self.house.claim(lease=NOW))
        run = await self.house.run(run_id)
        if run.finished_at is None:
            assert run.moved["searchable"] == await self.searchable(), at
            await self.house.attempt(await self.house.claim())
            run = await self.house.run(run_id)
        await self.judge(run, before, at)

    async def judge(self, run: Run, before: dict[str, str], at: str) -> None:
        truth, index, trouble = self.source.truth(), await self.index(), self.source.trouble
        extra, torn = index.keys() - truth.keys(), trouble.torn
        doubted = await self.doubted()
        assert run.finished_at is not None, at
        assert run.counts.adds_up, at
        assert before.keys() & truth.keys() <= index.keys(), f"wrongly deleted: {at}"
        stale = {name for name, said in truth.items() if said not in index.get(name, "")}
        assert not stale, f"missing or stale: {stale} {at}"
        if torn:
            assert run.status is RunStatus.SUCCEEDED_WITH_FAILURES, at
            assert await self.house.failures(self.connection), at
        elif trouble.half:
            assert len(extra) <= doubted, f"kept without a word: {extra} {at}"
        else:
            assert run.status is RunStatus.SUCCEEDED, f"{run} {at}"
            assert len(extra) == doubted, f"kept without a word: {extra} {at}"

    async def searchable(self) -> int:
        async with self.house.services.database.reading() as tx:
            return await searchable(tx, self.connection.id)

    async def index(self) -> dict[str, str]:
        """The text of each that is searchable."""
        query = (
            select(artifacts.c.external_id, chunks.c.text)
            .join(chunks, chunks.c.artifact_id == artifacts.c.id)
            .where(artifacts.c.connection_id == self.connection.id)
            .where(artifacts.c.status == ArtifactStatus.READY)
            .order_by(chunks.c.ordinal)
        )
        found: dict[str, str] = {}
        async with self.house.services.database.reading() as tx:
            for name, said in await tx.execute(query):
                found[name] = found.get(name, "") + said
        return found

    async def doubted(self) -> int:
        async with self.house.services.database.reading() as tx:
            asked = await deletions.page(
                tx,
                LOCAL_TENANT,
                connection=self.connection.id,
                undecided=True,
                after=None,
                limit=100,
            )
        return sum(each.artifacts for each in asked)
