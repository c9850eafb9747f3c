"""What all cases of a session share: the nursery, and migrated databases to copy."""

import asyncio
import shutil
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from storage.schema import upgrade
from storage.urls import normalised
from tests import servers
from tests.chaos.processes import Nursery, open_nursery


class Databases(Protocol):
    async def make(self, place: Path) -> str:
        """The URL of a fresh, migrated database. It goes with the session."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    place: Path
    nursery: Nursery
    databases: Mapping[str, Databases]


@contextmanager
def open_stage(place: Path) -> Generator[Stage]:
    with ExitStack() as parts:
        nursery = parts.enter_context(open_nursery(place))
        postgresql = Postgresql(parts.enter_context(servers.postgresql()))
        asyncio.run(postgresql.prepare())
        sqlite = SqliteFiles(place / "migrated.db")
        asyncio.run(upgrade(f"sqlite+aiosqlite:///{sqlite.template}"))
        databases: Mapping[str, Databases] = {"sqlite": sqlite, "postgresql": postgresql}
        yield Stage(place=place, nursery=nursery, databases=databases)


@dataclass(frozen=True, slots=True)
class SqliteFiles:
    template: Path

    async def make(self, place: Path) -> str:
        file = place / "headwater.db"
        shutil.copyfile(self.template, file)
        return f"sqlite+aiosqlite:///{file}"


@dataclass(frozen=True, slots=True)
class Postgresql:
    server: str
    template: str = "chaos_migrated"

    async def prepare(self) -> None:
        await self._create(self.template, "template1")
        await upgrade(self._url(self.template))

    async def make(self, place: Path) -> str:  # noqa: ARG002  # it is in the server's own
        name = f"chaos_{uuid4().hex}"
        await self._create(name, self.template)
        return self._url(name)

    async def _create(self, name: str, template: str) -> None:
        statement = f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"
        engine = create_async_engine(normalised(self.server), isolation_level="AUTOCOMMIT")
        try:
            async with engine.connect() as session:
                await session.execute(text(statement))
        finally:
            await engine.dispose()

    def _url(self, name: str) -> str:
        url = make_url(self.server).set(database=name)
        return normalised(url.render_as_string(hide_password=False))
