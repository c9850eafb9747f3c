"""Finding the one artifact that kills its process, and going on without it.

While a run has lost attempts without getting on, it says what it has in hand before it begins with
it. After three deaths what was in hand is done again by halves: the half that kills is what the
next attempt halves. One that kills alone is a recorded failure, and the run goes on.
"""

from collections.abc import Sequence

import structlog

from connectors.artifact import FailureClass
from pipelines.errors import Explanation
from pipelines.flows.ingestion import Ingestion, failure, record_failures, start_stage
from pipelines.flows.steps import Steps
from pipelines.journal import Step
from pipelines.progress import StageKey
from storage import artifacts, crashpoints, runs
from storage.artifacts import Staged
from storage.counts import Counts
from storage.ids import ArtifactId

DEATHS = 3
"""Fewer may be chance: a machine that is restarted, a deployment."""

log = structlog.get_logger()


def is_suspect(ingestion: Ingestion) -> bool:
    """Whether attempts before were lost here: then one batch is in hand, and it is said which."""
    return ingestion.work.run.deaths > 0


async def isolate(ingestion: Ingestion, steps: Steps) -> None:
    """Do what killed three processes again, by halves; or leave it out if it is one artifact."""
    run = ingestion.work.run
    if run.deaths < DEATHS or not run.in_hand:
        return
    left = await _staged(ingestion, run.in_hand)
    if len(run.in_hand) == 1:
        await _leave_out(ingestion, left)
        return
    while left:
        ingestion.go_on()
        half, left = left[: (len(left) + 1) // 2], left[(len(left) + 1) // 2 :]
        log.warning("isolation.tries", artifacts=len(half), left=len(left))
        await take_in_hand(ingestion, half)
        await steps.batch(ingestion.reserve(half))
    await put_down(ingestion)


async def take_in_hand(ingestion: Ingestion, rows: Sequence[Staged]) -> None:
    await _mark(ingestion, [row.id for row in rows])


async def put_down(ingestion: Ingestion) -> None:
    """What was in hand is done, and has killed nobody."""
    await _mark(ingestion, (), deaths=0)


async def _staged(ingestion: Ingestion, ids: Sequence[ArtifactId]) -> list[Staged]:
    async with ingestion.work.database.reading() as tx:
        return await artifacts.staged(tx, ingestion.work.connection.id, ids)


async def _leave_out(ingestion: Ingestion, rows: Sequence[Staged]) -> None:
    work = ingestion.work
    for row in rows:
        log.error("isolation.found", artifact=row.external_id, deaths=work.run.deaths)
    explanation = Explanation(
        FailureClass.POISON,
        f"Reading it ended the worker {work.run.deaths} times.",
        "It was left out, so that the rest could go on. Please report it; to try it again, "
        "retry what failed.",
    )
    failures = [
        failure(
            explanation,
            partition=row.partition,
            external_id=row.external_id,
            title=row.path or row.title,
            stage=StageKey.READ,
        )
        for row in rows
    ]

    async def write(step: Step) -> None:
        start_stage(work, step, StageKey.READ)
        step.counts += Counts(found=sum(row.run_id != work.run.id for row in rows))
        await record_failures(work, step, failures)
        await runs.take_in_hand(step.tx, work.run.id, work.run.attempt, (), deaths=0)
        crashpoints.reached("isolation.writing")

    await work.journal.commit(write)
    ingestion.backlog.add(-len(rows))


async def _mark(
    ingestion: Ingestion, ids: Sequence[ArtifactId], *, deaths: int | None = None
) -> None:
    run = ingestion.work.run

    async def write(step: Step) -> None:
        await runs.take_in_hand(step.tx, run.id, run.attempt, ids, deaths=deaths)

    await ingestion.work.journal.commit(write)
    crashpoints.reached("isolation.marked")
