"""Reading: what is staged becomes searchable, a batch and a transaction at a time."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines import stages
from pipelines.component import component
from pipelines.context import Context
from pipelines.digest import Digest, Document
from pipelines.errors import MustWait, StageFailed, longest
from pipelines.flows.ingestion import Ingestion, failure, record_failures, start_stage
from pipelines.flows.understanding import Pair, Understanding, understand
from pipelines.flows.vectors import Drawn, draw, embedded
from pipelines.guards import Boundary, Traced
from pipelines.journal import Step
from pipelines.progress import LATEST, StageKey
from pipelines.runtime import Work
from storage import artifacts, blobs, chunks, crashpoints
from storage.artifacts import Staged
from storage.chunks import NewChunk
from storage.counts import Counts
from storage.events import EventKind
from storage.failures import Failure
from storage.indexes import IndexChanged
from storage.money import Used

AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Made:
    """What became of one artifact."""

    staged: Staged
    digest: Digest | StageFailed


@component(Traced(), Boundary())
async def process(context: Context, ingestion: Ingestion, number: int) -> None:
    """Make a batch's artifacts searchable, or record why they cannot be.

    Raises ``MustWait`` if some of them must: they stay staged, and the others are done.
    """
    rows = ingestion.batches[number]
    try:
        waits = await _process(context, ingestion, rows)
    finally:
        del ingestion.batches[number]
    ingestion.backlog.add(len(waits) - len(rows))
    if waits:
        raise longest(waits)


async def _process(
    context: Context, ingestion: Ingestion, rows: Sequence[Staged]
) -> list[MustWait]:
    """Answers what has to be waited for, once for each artifact that it keeps back."""
    work = ingestion.work
    crashpoints.reached("batch.begun")
    work.moved(_reading(rows))
    digests = {row.digest for row in rows}
    bodies = await work.look(lambda tx: blobs.get(tx, work.run.tenant, digests))
    made, waits = await _digest_all(context, rows, bodies)
    understood = await understand(work, _whole(made))
    waits += [wait for each in made if (wait := understood.wait_of(each.staged))]
    made = [each for each in made if understood.wait_of(each.staged) is None]
    while True:
        drawn = await draw(context, work, _whole(made))
        delays = {each.staged.id: wait for each in made if (wait := _delay(each, drawn))}
        kept = [each for each in made if each.staged.id not in delays]
        used = _used(work, understood)
        try:
            if kept or used:  # what was read of those that wait is kept: it was paid
                await _keep(ingestion, kept, replace(understood, used=used), drawn)
        except IndexChanged:  # while these were made: once in the life of a model
            understood = replace(understood, used=used)
            continue
        return [*waits, *delays.values()]


def _delay(made: Made, drawn: Drawn) -> MustWait | None:
    return drawn.wait_of(made.digest) if isinstance(made.digest, Digest) else None


def _used(work: Work, understood: Understanding) -> Sequence[Used]:
    """What reading has used, and what has come since."""
    more = [] if work.thoughts is None else work.thoughts.tally.take()
    return [*understood.used, *more]


async def _keep(
    ingestion: Ingestion, made: Sequence[Made], understood: Understanding, drawn: Drawn
) -> None:
    """Commit what was made, with all that is to be known of it. May raise ``IndexChanged``."""
    work = ingestion.work
    crashpoints.reached("batch.made")
    whole = _whole(made)
    new = {staged.id: _chunks(staged, digest, drawn) for staged, digest in whole}
    faults = {staged.id: drawn.fault(digest) for staged, digest in whole}
    ready = [understood.ready(pair, faults[pair[0].id]) for pair in whole]
    found = sum(each.staged.run_id != work.run.id for each in made)

    async def write(step: Step) -> None:
        tenant, connection = work.run.tenant, work.connection.id
        start_stage(work, step, StageKey.READ)
        await drawn.check(step.tx)
        await chunks.replace(step.tx, tenant, connection, new, model=drawn.index.model)
        crashpoints.reached("batch.writing")
        step.gained += await artifacts.ready(step.tx, work.run.id, ready)
        await understood.keep(step, work)
        await record_failures(work, step, _failures(made))
        step.counts += Counts(
            found=found,
            processed=len(whole),
            chunks=sum(map(len, new.values())),
            tokens=sum(chunk.tokens for each in new.values() for chunk in each),
            embedded=drawn.number,
            unread=Counter(fault.code for fault in faults.values() if fault),
        )
        step.counts += understood.counts(whole)
        crashpoints.reached("batch.written")
        if whole and not work.journal.queryable:
            step.tell(EventKind.QUERYABLE)

    await work.journal.commit(write)
    crashpoints.reached("batch.committed")
    work.progress.ready([_shown(pair[0], understood.reading(pair)) for pair in whole[-LATEST:]])
    work.moved()


async def _digest_all(
    context: Context, rows: Sequence[Staged], bodies: Mapping[str, bytes]
) -> tuple[list[Made], list[MustWait]]:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(row: Staged) -> Made | MustWait:
        document = Document(bodies.get(row.digest, b""), path=row.path, title=row.title)
        async with places:
            try:
                return Made(row, await stages.digest(context, document))
            except StageFailed as error:
                return Made(row, error)
            except MustWait as wait:  # the others are finished: they may have cost something
                return wait
            finally:
                context.vital.advance()

    ends = await asyncio.gather(*(one(row) for row in rows))
    made = [each for each in ends if isinstance(each, Made)]
    return made, [each for each in ends if isinstance(each, MustWait)]


def _chunks(staged: Staged, digest: Digest, drawn: Drawn) -> Sequence[NewChunk]:
    made = []
    for ordinal, chunk in enumerate(digest.chunks):
        key, _ = embedded(chunk)
        new = NewChunk(
            artifact=staged.id,
            ordinal=ordinal,
            start_byte=chunk.start_byte,
            end_byte=chunk.end_byte,
            start_line=chunk.start_line,
            end_line=chunk.end_line,
            symbol=chunk.symbol or "",
            header=chunk.header,
            text=chunk.text,
            tokens=chunk.tokens,
            digest=key,
            vector=drawn.vectors[key],
        )
        made.append(new)
    return made


def _whole(made: Sequence[Made]) -> list[Pair]:
    return [(each.staged, each.digest) for each in made if isinstance(each.digest, Digest)]


def _failures(made: Sequence[Made]) -> list[Failure]:
    return [
        failure(
            each.digest.explanation,
            partition=each.staged.partition,
            external_id=each.staged.external_id,
            title=each.staged.path or each.staged.title,
            stage=StageKey.READ,
        )
        for each in made
        if isinstance(each.digest, StageFailed)
    ]


def _shown(staged: Staged, reading: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "id": staged.id,
        "title": staged.title,
        "path": staged.path,
        "summary": reading["summary"],
    }


def _reading(rows: Sequence[Staged]) -> str:
    name = rows[0].path or rows[0].title
    return f"Reading {name}" + (f" and {len(rows) - 1} more" if len(rows) > 1 else "")
