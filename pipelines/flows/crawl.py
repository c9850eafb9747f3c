"""Finding: from what a source says to what is staged, a page and its cursor at a time."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

import structlog
from pydantic import ValidationError

from connectors.artifact import PartitionKey
from connectors.errors import CursorExpired, SourceUnavailable
from connectors.events import Checkpoint, Cursor, Event, Failed, Total, Waiting
from pipelines.component import component
from pipelines.context import Context
from pipelines.flows.ingestion import Ingestion, finish_stage
from pipelines.flows.pagewriter import PageWriter
from pipelines.guards import Boundary, Retry, Traced
from pipelines.journal import Step
from pipelines.progress import StageKey
from pipelines.vital import SOURCE_PATIENCE
from storage import crashpoints, partitions
from storage.events import EventKind

FIRST_PAGE = 20  # small, so that there is something to process soon

log = structlog.get_logger()


@component(Traced(), Boundary(), Retry(on=(SourceUnavailable,), attempts=5))
async def crawl(context: Context, ingestion: Ingestion, partition: PartitionKey) -> None:
    """Read a partition from its saved cursor to its end. Doing it again goes on where it was."""
    work = ingestion.work
    known = await work.look(lambda tx: partitions.load(tx, work.connection.id))
    saved = known.get(partition)
    if saved is not None and saved.done:
        return
    cursor = _parsed(ingestion, saved.cursor if saved else None)
    with context.vital.holding(SOURCE_PATIENCE):
        try:
            await Crawl(ingestion, partition).read(cursor)
        except CursorExpired:
            log.info("crawl.cursor_expired", partition=partition)
            await Crawl(ingestion, partition).read(None)


async def finish_crawl(ingestion: Ingestion) -> None:
    async def write(step: Step) -> None:
        finish_stage(ingestion.work, step, StageKey.FIND)

    await ingestion.work.journal.commit(write)
    crashpoints.reached("crawl.finished")
    ingestion.crawled()


@dataclass(slots=True)
class Crawl:
    ingestion: Ingestion
    partition: PartitionKey
    waiting: bool = False

    async def read(
        self, cursor: Cursor | None, *, wanted: Callable[[Event], bool] = lambda _: True
    ) -> None:
        """Read on from the cursor. What is not wanted is as if it had not been said."""
        writer = PageWriter(self.ingestion, self.partition, most=FIRST_PAGE)
        events = self.ingestion.connector.read(self.partition, cursor)
        vital = self.ingestion.work.context.vital
        async with aclosing(cast("_Closable", events)):
            async for event in events:
                vital.advance()
                if not wanted(event):
                    continue
                if isinstance(event, Waiting):
                    await writer.flush()
                await self._note(event)
                if isinstance(event, Checkpoint):
                    await writer.reach(event)
                elif not isinstance(event, Total | Waiting):
                    await writer.add(event)
        await writer.flush()

    async def _note(self, event: Event) -> None:
        work = self.ingestion.work
        match event:
            case Total(partition, number, exact):
                work.progress.expect(partition, number, exact=exact)
                work.moved()
            case Failed(None):
                self.ingestion.partial.add(self.partition)
            case Waiting(reason, until):
                self.waiting = True
                told = {
                    "code": reason,
                    "message": "The source asked us to wait.",
                    "action": "Nothing to do: it goes on by itself.",
                    "until": until.isoformat() if until else None,
                }
                await self._tell(EventKind.WAITING, reason=told)
            case _ if self.waiting:
                self.waiting = False
                await self._tell(EventKind.RESUMED, reason=None)

    async def _tell(self, kind: EventKind, **patch: Any) -> None:
        async def write(step: Step) -> None:
            step.tell(kind, **patch)

        await self.ingestion.work.journal.commit(write)


class _Closable(AsyncIterator[Event]):
    async def aclose(self) -> None: ...


def _parsed(ingestion: Ingestion, saved: object) -> Cursor | None:
    """The cursor, or None for one that this version of the connector cannot read."""
    if saved is None:
        return None
    try:
        return ingestion.spec.cursor.model_validate(saved)
    except ValidationError:
        log.warning("crawl.cursor_unreadable", kind=ingestion.spec.kind)
        return None
