"""A kind of source that misbehaves on request: a folder, and a script that says how.

It is installed as a third party's connector is, by an entry point: see ``install``. The script is a
file beside the folder, read whenever it matters, so that a test can change its mind in a run.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from connectors.access import Access
from connectors.artifact import FailureClass, PartitionKey, Ref
from connectors.connector import Fetched, Plan, Probe, Scope, Spec
from connectors.errors import ArtifactGone, CursorExpired, SourceRefused, SourceUnavailable
from connectors.events import (
    CensusComplete,
    CensusEvent,
    Checkpoint,
    Cursor,
    Event,
    Failed,
    Upsert,
    Waiting,
)
from connectors.local.config import LocalConfig, LocalCursor
from connectors.local.crawl import LocalConnector, open_local

CHECKPOINT_EVERY = 8
KIND = "rig"


class Script(BaseModel):
    """What goes wrong. The numbers say how often, over all processes; ``after`` how many events."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pace_seconds: float = 0.0
    after: int = 10
    unavailable: int = 0
    expired: int = 0
    waiting: int = 0
    waiting_seconds: float = 0.5
    blocked: int = 0
    blocked_seconds: float = 0.0
    torn: int = 0
    holes: int = 0
    fetches_unavailable: int = 0
    twice: bool = False
    gone: str | None = None
    refused: str | None = None


class RigConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    script: str


@dataclass(slots=True)
class Rig:
    """Does what its folder's connector does, and what the script says."""

    local: LocalConnector
    place: Path

    async def check(self) -> Sequence[Probe]:
        return await self.local.check()

    def discover(self) -> AsyncIterator[Scope]:
        return self.local.discover()

    async def plan(self) -> Plan:
        return await self.local.plan()

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        if isinstance(cursor, LocalCursor) and cursor.after and self._strikes("expired"):
            raise CursorExpired("The rig forgot its cursors")
        told = 0
        async with aclosing(cast(Any, self.local.read(partition, cursor))) as events:
            async for event in events:
                async for trouble in self._before(partition, event, told):
                    yield trouble
                yield event
                if self._script.twice and isinstance(event, Upsert):
                    yield event
                told += 1

    async def _before(
        self, partition: PartitionKey, event: Event, told: int
    ) -> AsyncIterator[Event]:
        script = self._script
        await pause(script.pace_seconds)
        last = isinstance(event, Checkpoint) and event.done
        if last and self._strikes("torn"):
            yield Failed(None, partition, FailureClass.TRANSIENT, "a page is torn", "Try again.")
        if told < script.after and not last:
            return
        if self._strikes("unavailable"):
            raise SourceUnavailable("The rig is out", retry_after=timedelta(seconds=0.2))
        if self._strikes("blocked"):
            threading.Event().wait(script.blocked_seconds)
        if self._strikes("waiting"):
            seconds = script.waiting_seconds
            yield Waiting("rate_limited", datetime.now(UTC) + timedelta(seconds=seconds))
            await pause(seconds)

    async def census(self, partition: PartitionKey) -> AsyncIterator[CensusEvent]:
        hole = self._strikes("holes")
        async with aclosing(cast(Any, self.local.census(partition))) as events:
            async for event in events:
                if not (hole and isinstance(event, CensusComplete)):
                    yield event

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        if self._strikes("fetches_unavailable"):
            raise SourceUnavailable("The rig is out", retry_after=timedelta(seconds=0.2))
        script, there = self._script, await self.local.fetch(refs)
        return {ref: _spoilt(script, ref) or body for ref, body in there.items()}

    async def account(self) -> None:
        return await self.local.account()

    @property
    def _script(self) -> Script:
        return Script.model_validate_json(self.place.read_bytes())

    def _strikes(self, trouble: str) -> bool:
        """Whether it happens now. Each time leaves a mark, which the next process finds."""
        marks = self.place.with_suffix(f".{trouble}")
        happened = marks.stat().st_size if marks.exists() else 0
        if happened >= getattr(self._script, trouble):
            return False
        with marks.open("ab") as file:
            file.write(b"x")
        return True


def _spoilt(script: Script, ref: Ref) -> ArtifactGone | SourceRefused | None:
    if script.gone is not None and script.gone in ref.external_id:
        return ArtifactGone(f"{ref.external_id} is not there any more")
    if script.refused is not None and script.refused in ref.external_id:
        return SourceRefused(f"{ref.external_id} is not for us")
    return None


@asynccontextmanager
async def open_rig(config: RigConfig, access: Access) -> AsyncGenerator[Rig]:
    local = LocalConfig(path=config.path)
    async with open_local(local, access, checkpoint_every=CHECKPOINT_EVERY) as connector:
        yield Rig(connector, Path(config.script))


CONNECTOR = Spec(
    kind=KIND,
    title="A rig",
    description="A folder that misbehaves on request.",
    config=RigConfig,
    cursor=LocalCursor,
    open=open_rig,
)


def install(folder: Path) -> Path:
    """Make a package of it in the folder, for ``sys.path`` or ``PYTHONPATH``."""
    package = folder / "headwater_rig-1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: headwater-rig\nVersion: 1\n")
    points = f"[headwater.connectors]\n{KIND} = tests.chaos.rig:CONNECTOR\n"
    (package / "entry_points.txt").write_text(points)
    return folder


async def pause(seconds: float) -> None:
    """The rig's own pace. Nothing waits for a condition here; tests use ``wait_until``."""
    if seconds > 0:
        await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=seconds)
