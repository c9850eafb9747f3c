"""What an attempt writes: every change with its counts and its milestones in one transaction.

The counts and the fence are in each of them, so a later attempt finds exactly what was committed,
and a stale one writes nothing at all.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import structlog

from pipelines.context import Clock
from pipelines.reporter import Reporter
from pipelines.vital import Vital
from storage import crashpoints, runs
from storage.counts import Counts
from storage.database import Database, Tx
from storage.errors import DatabaseFull, DatabaseUnavailable
from storage.events import STATUS_AFTER, TERMINAL, Event, EventKind, WaitingReason
from storage.ids import Attempt, RunId

R = TypeVar("R")

LONGEST_WAIT_SECONDS = 10.0
LAST = TERMINAL | {EventKind.ATTEMPT_HANDED_OVER}
"""After these, an attempt has nothing more to say."""

log = structlog.get_logger()


@dataclass(slots=True)
class Step:
    """One transaction in the making: what it adds to the counts, and what it tells.

    ``last``: the attempt has nothing more to say after it, whatever kind of milestone it tells.
    """

    tx: Tx
    counts: Counts = field(default_factory=Counts)
    tidied: int = 0
    """Partitions."""

    gained: int = 0
    """Artifacts that can be searched and could not before; less than none if some are gone."""

    news: list[tuple[EventKind, Mapping[str, Any], Mapping[str, Any]]] = field(
        default_factory=list[tuple[EventKind, Mapping[str, Any], Mapping[str, Any]]]
    )
    last: bool = False

    def tell(self, kind: EventKind, data: Mapping[str, Any] | None = None, **patch: Any) -> None:
        """Add a milestone. What moves by itself (counts, stages) is in its patch anyway."""
        self.news.append((kind, data or {}, patch))


@dataclass(slots=True, kw_only=True)
class Journal:
    run: RunId
    attempt: Attempt
    database: Database
    reporter: Reporter
    clock: Clock
    counts: Counts
    queryable: bool
    """Something of this run can be searched, and it was told."""

    vital: Vital = field(default_factory=Vital)

    _one_at_a_time: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    async def commit(self, write: Callable[[Step], Awaitable[R]]) -> R:
        """Commit what ``write`` does, with its counts and milestones. It may be called again.

        While the database is away the work waits here. Raises ``AttemptFenced`` or ``RunEnded``,
        with nothing written, if the run is not ours any more.
        """
        async with self._one_at_a_time:
            return await self._patiently(lambda: _unbroken(self._commit(write)))

    async def look(self, read: Callable[[Tx], Awaitable[R]]) -> R:
        """What ``read`` finds in one instant. Waits while the database is away, like ``commit``."""

        async def once() -> R:
            async with self.database.reading() as tx:
                return await read(tx)

        return await self._patiently(once)

    async def _patiently(self, work: Callable[[], Awaitable[R]]) -> R:
        waited = False
        for wait in _waits():
            try:
                answer = await work()
            except DatabaseUnavailable as error:
                log.warning("journal.waits", reason=str(error), seconds=wait)
                self.reporter.held_up(_reason(error))
                waited = True
                await self.clock.sleep(wait)
            else:
                if waited:  # not whoever only reads, which works also on a full disk
                    self.reporter.held_up(None)
                return answer
        raise AssertionError("the waits do not end")

    async def _commit(self, write: Callable[[Step], Awaitable[R]]) -> R:
        told: dict[str, Any] = {}
        async with self.database.transaction() as tx:
            await runs.lock(tx, self.run, self.attempt)
            step = Step(tx)
            answer = await write(step)
            counts = self.counts + step.counts
            moved = self.reporter.progress.moved(counts, tidied=step.tidied, gained=step.gained)
            await runs.save(
                tx, self.run, self.attempt, counts=counts, seq=self.reporter.seq, moved=moved
            )
            crashpoints.reached("journal.writing")
            for kind, data, patch in step.news:
                event = self._event(kind, data, {**moved, **patch}, counts)
                await runs.record(tx, self.run, event)
                told.update(event.patch)
                if kind in STATUS_AFTER:
                    told |= {"status": STATUS_AFTER[kind], "reason": event.patch.get("reason")}
        crashpoints.reached("journal.committed")
        self.vital.advance()
        self.counts = counts
        self.queryable |= any(kind is EventKind.QUERYABLE for kind, _, _ in step.news)
        self.reporter.progress.committed(
            counts, tidied=step.tidied, gained=step.gained, now=self.clock.monotonic()
        )
        if told:
            last = step.last or any(kind in LAST for kind, _, _ in step.news)
            self.reporter.committed(told, last=last)
        else:
            self.reporter.moved()
        return answer

    def _event(
        self, kind: EventKind, data: Mapping[str, Any], patch: Mapping[str, Any], counts: Counts
    ) -> Event:
        progress = self.reporter.progress
        whole = {
            "counts": counts.to_json(),
            "activity": progress.activity,
            **patch,
        }
        if kind is not EventKind.ITEM_FAILED:  # there may be thousands of them
            whole["latest"] = progress.latest
        return Event(kind=kind, at=self.clock.now(), attempt=self.attempt, data=data, patch=whole)


def _reason(error: DatabaseUnavailable) -> Mapping[str, Any]:
    """Why nothing moves, for those who watch: SQL cannot be told it now."""
    full = isinstance(error, DatabaseFull)
    return {
        "code": WaitingReason.DISK if full else WaitingReason.DATABASE,
        "message": "The disk is full" if full else "The database does not answer",
        "action": error.action,
        "until": None,
    }


async def _unbroken(work: Coroutine[Any, Any, R]) -> R:
    """Finish it before a cancellation goes on: a write that is broken off holds its lock on."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled() and task.exception():  # nobody else will look at it
            log.info("journal.broken_off", reason=str(task.exception()))
        raise


def _waits() -> Iterator[float]:
    seconds = 0.5
    while True:
        yield seconds
        seconds = min(seconds * 2, LONGEST_WAIT_SECONDS)
