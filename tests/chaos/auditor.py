"""What must never have happened (DESIGN 10), looked up in SQL, in the stream, in the logs.

Each finding begins with the invariant it breaks. ``at_any_time`` may be asked in the middle of
everything; ``at_the_end`` when the run is over and what was broken has been healed.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import Row, func, select, text

from connectors.events import Upsert
from connectors.local.config import LocalCursor
from pipelines.decoding import decode
from storage import milestones, runs
from storage.database import Database, Tx
from storage.events import TERMINAL, Event, EventKind, EventLog, RunStatus, State, fold
from storage.ids import RunId, Seq
from storage.runs import Run
from storage.tables import artifacts, chunks, embeddings, failures, partitions
from tests import trees
from tests.chaos.source import Source

MUST_MATCH = (
    *("id", "status", "attempt", "counts", "stages", "searchable", "reason", "title"),
    *("started_at", "first_queryable_at", "finished_at", "failures"),
)
"""What the stream's state and the fold of SQL's milestones say alike at the end."""

STOPPED = frozenset({RunStatus.FAILED, RunStatus.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditor:
    database: Database
    log: EventLog
    source: Source
    logs: Path
    secrets: tuple[str, ...]

    async def at_any_time(self, run_id: RunId, *, source_stays: bool) -> list[str]:
        async with self.database.reading() as tx:
            run = await runs.find(tx, run_id)
            if run is None:
                return [f"I2 run {run_id} is gone"]
            told = await _milestones(tx, run_id)
            rows = await _artifacts(tx, run)
            cursor = await _cursor(tx, run)
        found = [*_story(run, told), *_counts(run)]
        return [*found, *(await self._ahead(cursor, rows) if source_stays else ())]

    async def at_the_end(self, run_id: RunId, expected: "Expected | None") -> list[str]:
        """``expected`` is None where the source changed too late for the run to see it all."""
        async with self.database.reading() as tx:
            run = await runs.find(tx, run_id)
            assert run is not None
            told = await _milestones(tx, run_id)
            rows = await _artifacts(tx, run)
            pieces = await _chunks(tx, run)
            open_failures = await _open_failures(tx, run)
            odd = await _odd(tx)
        found = [*_story(run, told), *_counts(run), *odd]
        if expected is not None:
            found += _outcome(run, expected, open_failures)
            found += self._index(rows, pieces, expected)
        found += await self._stream(run, told)
        return [*found, *self._secrets()]

    def _index(
        self, rows: Sequence[Row[Any]], pieces: Mapping[int, list[Row[Any]]], expected: "Expected"
    ) -> Iterator[str]:
        wanted = {
            key: digest
            for key, digest in self.source.digests().items()
            if not expected.is_failed(key)
        }
        ready = {row.external_id: row for row in rows if row.status == "ready"}
        stopped = expected.status in STOPPED  # what is indexed by then is right, and not all
        for key in () if stopped else sorted(wanted.keys() - ready.keys()):
            yield f"I1 {key} is lost"
        for key in sorted(ready.keys() - wanted.keys()) if not expected.keeps_gone else ():
            yield f"I1 {key} is indexed and should not be"
        for key in sorted(ready.keys() & wanted.keys()):
            yield from self._content(ready[key], wanted[key], pieces.get(ready[key].id, []))
        staged = sorted(row.external_id for row in rows if row.status == "staged")
        if staged and not stopped:
            yield f"I1 {len(staged)} are still staged after the end, such as {staged[0]}"

    def _content(self, row: Row[Any], digest: str, own: Sequence[Row[Any]]) -> Iterator[str]:
        if row.digest != digest:
            yield f"I1 {row.external_id} has the content of another version"
            return
        body = self.source.kept[row.external_id.removeprefix("file:")]
        whole = decode(body).text
        if [piece.ordinal for piece in own] != list(range(len(own))):
            yield f"I1 {row.external_id} has chunks {[piece.ordinal for piece in own]}"
        if "".join(piece.text for piece in own) != whole:
            yield f"I1 the chunks of {row.external_id} are not its content"

    async def _ahead(self, cursor: LocalCursor | None, rows: Sequence[Row[Any]]) -> list[str]:
        """Whatever lies before the saved place must be there."""
        if cursor is None or cursor.done:  # one that is done is judged at the end
            return []
        there = {row.external_id for row in rows}
        # Not by the rig, which would misbehave to us as well.
        told = await trees.told(self.source.folder)
        names = [str(each.artifact.ref.external_id) for each in told if isinstance(each, Upsert)]
        passed = names[: names.index(cursor.after) + 1] if cursor.after in names else []
        return [f"I2 the cursor is past {name}, which is not there" for name in passed
                if name not in there]  # fmt: skip

    async def _stream(self, run: Run, told: Sequence[Event]) -> list[str]:
        snapshot = await self.log.snapshot(run.id)
        if snapshot is None:
            return ["I3 the stream is gone and was not begun again"]
        kept = await self.log.since(run.id, Seq(0), limit=5_000)
        found = []
        if not snapshot.ended:
            found.append("I3 the stream does not know that the run is over")
        if kept.complete:
            found += _same(fold({}, (each.event for each in kept.events)), snapshot.state, "events")
            stored = [each.milestone for each in kept.events if each.milestone is not None]
            if stored != list(range(1, run.milestones + 1)):
                found.append(f"I3 the stream has the milestones {stored} of {run.milestones}")
        folded = fold({}, told)
        alike = {key: folded.get(key) for key in MUST_MATCH}
        shown = {key: snapshot.state.get(key) for key in MUST_MATCH}
        return [*found, *_same(alike, shown, "milestones")]

    def _secrets(self) -> Iterator[str]:
        for log in sorted(self.logs.glob("*.log")):
            said = log.read_text(errors="replace")
            if any(secret in said for secret in self.secrets):
                yield f"I8 a password is in {log.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How a run should end. ``failed`` names pieces of the ids of what cannot be ingested."""

    status: RunStatus = RunStatus.SUCCEEDED
    failed: tuple[str, ...] = ()
    keeps_gone: bool = False
    """What is gone from the source is rightly kept: nobody believes the loss."""

    def is_failed(self, key: str) -> bool:
        return any(part in key for part in self.failed)


def redone(work_log: Path, *, since_bytes: int = 0) -> int:
    """How many documents were read more than once since a place in the log."""
    if not work_log.exists():
        return 0
    with work_log.open("rb") as file:
        file.seek(since_bytes)
        done = Counter(line.partition(b" ")[2] for line in file.read().splitlines())
    return sum(times - 1 for times in done.values())


async def fingerprint(database: Database) -> str:
    """Of all that a worker could write of a run: equal means that nobody wrote."""
    digest = hashlib.sha256()
    async with database.reading() as tx:
        for table in ("runs", "milestones", "artifacts", "chunks", "failures", "partitions"):
            rows = await tx.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2, 3"))  # noqa: S608
            for row in rows:
                digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def _story(run: Run, told: Sequence[Event]) -> Iterator[str]:
    """The milestones tell one story, in order, with one end."""
    if len(told) != run.milestones:
        yield f"I3 the run has {run.milestones} milestones, and {len(told)} are kept"
    ends = [event.kind for event in told if event.kind in TERMINAL]
    if len(ends) > 1 or (ends and told[-1].kind not in TERMINAL):
        yield f"I3 the run ends {len(ends)} times, last with {told[-1].kind}"
    if (run.finished_at is not None) != (len(ends) == 1):
        yield f"I3 the row says finished at {run.finished_at}, the milestones end with {ends}"
    attempts = [event.attempt for event in told]
    if attempts != sorted(attempts):
        yield f"I6 an earlier attempt wrote after a later one: {attempts}"
    for earlier, later in pairwise(told):
        yield from _risen(earlier, later)
    if sum(event.kind is EventKind.QUERYABLE for event in told) > 1:
        yield "I3 the run became queryable twice"


def _risen(earlier: Event, later: Event) -> Iterator[str]:
    for name in ("found", "processed", "unchanged"):
        was = earlier.patch.get("counts", {}).get(name, 0)
        now = later.patch.get("counts", {"found": was, "processed": was, "unchanged": was})[name]
        if now < was:
            yield f"I4 {name} fell from {was} to {now} at {later.kind}"


def _counts(run: Run) -> Iterator[str]:
    if run.counts.settled > run.counts.found:
        yield f"I4 {run.counts.settled} are settled of {run.counts.found} found"
    if run.finished_at is not None and not run.counts.adds_up and run.status not in STOPPED:
        yield f"I4 the counts do not add up: {run.counts.to_json()}"


def _outcome(run: Run, expected: Expected, open_failures: Sequence[str]) -> Iterator[str]:
    if run.status != expected.status:
        yield f"I9 the run is {run.status} and should be {expected.status}: {run.reason}"
    failed = sum(run.counts.failed.values())
    if run.status is RunStatus.SUCCEEDED and (failed or open_failures):
        yield f"I9 succeeded, with {failed} failures counted and {len(open_failures)} open"
    strange = [key for key in open_failures if key and not expected.is_failed(key)]
    if strange:
        yield f"I9 recorded as failed, and nothing was wrong with it: {strange[0]}"


def _same(one: State, other: State, what: str) -> Iterator[str]:
    for key in sorted(one.keys() | other.keys()):
        if one.get(key) != other.get(key):
            yield f"I3 {key}: the {what} fold to {one.get(key)!r}, shown is {other.get(key)!r}"


async def _milestones(tx: Tx, run_id: RunId) -> list[Event]:
    told: list[Event] = []
    while page := await milestones.after(tx, run_id, len(told)):
        told += [event for _, event in page]
    return told


async def _artifacts(tx: Tx, run: Run) -> Sequence[Row[Any]]:
    mine = artifacts.c.connection_id == run.connection
    return (await tx.execute(select(artifacts).where(mine))).all()


async def _chunks(tx: Tx, run: Run) -> Mapping[int, list[Row[Any]]]:
    query = select(chunks).where(chunks.c.connection_id == run.connection)
    pieces: dict[int, list[Row[Any]]] = {}
    for row in await tx.execute(query.order_by(chunks.c.artifact_id, chunks.c.ordinal)):
        pieces.setdefault(row.artifact_id, []).append(row)
    return pieces


async def _cursor(tx: Tx, run: Run) -> LocalCursor | None:
    mine = partitions.c.connection_id == run.connection
    row = (await tx.execute(select(partitions.c.cursor).where(mine))).one_or_none()
    return None if row is None or not row.cursor else LocalCursor.model_validate(row.cursor)


async def _open_failures(tx: Tx, run: Run) -> list[str]:
    mine = failures.c.connection_id == run.connection
    query = select(failures.c.external_id).where(mine, failures.c.resolved_at.is_(None))
    return [row.external_id for row in await tx.execute(query)]


async def _odd(tx: Tx) -> list[str]:
    """Pieces without a whole, and an index of words that does not fit the chunks."""
    found = []
    numbers: dict[str, int] = {}
    for table in (chunks, embeddings):
        numbers[table.name] = int(await tx.scalar(select(func.count()).select_from(table)) or 0)
    if tx.dialect.name == "sqlite":
        numbers["chunks_fts"] = int(await tx.scalar(text("SELECT count(*) FROM chunks_fts")) or 0)
    if len({numbers["chunks"], numbers.get("chunks_fts", numbers["chunks"])}) > 1:
        found.append(f"I1 the index of words has other rows than the chunks: {numbers}")
    if numbers["embeddings"] > numbers["chunks"]:
        found.append(f"I1 there are vectors without chunks: {numbers}")
    orphans = select(func.count()).select_from(chunks.outerjoin(artifacts,
        artifacts.c.id == chunks.c.artifact_id)).where(artifacts.c.id.is_(None))  # fmt: skip
    if lonely := await tx.scalar(orphans):
        found.append(f"I1 {lonely} chunks belong to nothing")
    return found
