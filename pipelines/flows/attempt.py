"""One attempt at an ingestion, from its first milestone to whatever ends it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from connectors.errors import ConnectorError
from pipelines.errors import HandedOver, MustAsk, MustWait, PipelineError, StageFailed
from pipelines.flows.asking import ask
from pipelines.flows.crawl import finish_crawl
from pipelines.flows.ingestion import Ingestion, finish_stage, recount, start_stage
from pipelines.flows.isolation import is_suspect, isolate, put_down, take_in_hand
from pipelines.flows.opening import look_again, open_source
from pipelines.flows.retrying import partitions_of
from pipelines.flows.steps import Plain, Steps
from pipelines.journal import Step
from pipelines.progress import StageKey
from pipelines.runtime import Work
from pipelines.vital import SOURCE_PATIENCE
from storage import crashpoints, partitions, runs
from storage.errors import AttemptFenced, RunEnded, SetupError
from storage.events import EventKind, RunStatus, WaitingReason

LAST_WORDS_SECONDS = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the attempt ended. ``status`` is the run's: queued again, or waiting, if it goes on."""

    status: RunStatus | None
    message: str


async def perform(work: Work, steps: Callable[[Ingestion], Steps] = Plain) -> Outcome:
    """Do all that is left to do of the run, and say how it ended. Only bugs are raised."""

    async def ingest() -> Outcome:
        async with open_source(work) as ingestion:
            await _begin(ingestion)
            await _work(ingestion, steps(ingestion))
            return await _succeed(ingestion)

    return await conclude(work, ingest)


async def conclude(work: Work, doing: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Do it, and bring the run to where whatever ends it leaves it. Only bugs are raised."""
    try:
        return await doing()
    except (AttemptFenced, RunEnded) as refusal:
        log.warning("attempt.superseded", reason=str(refusal))
        return Outcome(None, str(refusal))
    except HandedOver:
        return await _hand_over(work)
    except MustWait as wait:
        return await _let_wait(work, wait)
    except asyncio.CancelledError:
        async with asyncio.timeout(LAST_WORDS_SECONDS):
            await asyncio.shield(_hand_over(work))
        raise
    except (ConnectorError, SetupError) as error:
        return await _fail(work, _code(error), str(error), error.action)
    except StageFailed as error:
        log.exception("attempt.failed")
        told = error.explanation
        return await _fail(work, told.failure, told.detail, told.action)


async def _begin(ingestion: Ingestion) -> None:
    work = ingestion.work

    async def write(step: Step) -> None:
        work.progress.activity = "Looking at the source"
        if work.run.started_at is None and not work.run.only_failed:
            # What the run before has finished begins anew; from here on, done means by this run.
            for saved in (await partitions.load(step.tx, work.connection.id)).values():
                if saved.done:
                    await partitions.save(
                        step.tx,
                        work.run.tenant,
                        work.connection.id,
                        saved.key,
                        cursor=saved.cursor or {},
                        done=False,
                    )
        step.tell(EventKind.STARTED, reader=work.told, rate=None, eta=None, reason=None)
        start_stage(work, step, StageKey.FIND)

    await work.journal.commit(write)


async def _work(ingestion: Ingestion, steps: Steps) -> None:
    crashpoints.reached("attempt.begun")
    with ingestion.work.context.vital.holding(SOURCE_PATIENCE):
        keys, to_tidy = await partitions_of(ingestion)
    ingestion.work.progress.partitions = len(to_tidy)

    async def crawl() -> None:
        try:
            for partition in keys:
                await steps.crawl(partition)
            await finish_crawl(ingestion)
        except HandedOver:  # not raised here, for it would break off the batches in hand
            ingestion.crawled()
        except MustWait as wait:
            ingestion.must_wait(wait, reading=False)
            ingestion.crawled()

    await isolate(ingestion, steps)
    await _together(crawl(), *(_read(ingestion, steps) for _ in range(ingestion.lanes)))
    ingestion.go_on()
    await _change_stage(ingestion, finished=StageKey.READ, started=StageKey.TIDY)
    for partition in to_tidy:
        await steps.tidy(partition)


async def _read(ingestion: Ingestion, steps: Steps) -> None:
    while (number := await ingestion.take()) is not None:
        if is_suspect(ingestion):
            await take_in_hand(ingestion, ingestion.batches[number])
        try:
            await steps.batch(number)
        except MustWait as wait:
            ingestion.must_wait(wait, reading=True)
        if is_suspect(ingestion):
            await put_down(ingestion)


async def _change_stage(ingestion: Ingestion, *, finished: StageKey, started: StageKey) -> None:
    async def write(step: Step) -> None:
        start_stage(ingestion.work, step, finished)  # even if there was nothing to do in it
        finish_stage(ingestion.work, step, finished)
        start_stage(ingestion.work, step, started)

    await ingestion.work.journal.commit(write)


async def _succeed(ingestion: Ingestion) -> Outcome:
    work, counts = ingestion.work, ingestion.work.journal.counts
    failed = sum(counts.failed.values()) + sum(counts.unread.values())
    kind = EventKind.SUCCEEDED_WITH_FAILURES if failed else EventKind.SUCCEEDED
    if not counts.adds_up:
        log.error("attempt.counts_differ", found=counts.found, settled=counts.settled)

    async def write(step: Step) -> None:
        finish_stage(work, step, StageKey.TIDY, held_back=ingestion.held_back)
        await recount(work, step)  # others may have hidden some, as when a deletion is approved
        work.progress.activity = _last_words(ingestion)
        step.tell(kind, rate=None, eta=None, reason=None, activity=work.progress.activity)
        crashpoints.reached("end.writing")

    await work.journal.commit(write)
    crashpoints.reached("end.committed")
    message = f"{counts.found:,} found, {counts.processed:,} processed, {failed:,} failed"
    log.info("attempt.succeeded", **counts.to_json())
    status = RunStatus.SUCCEEDED_WITH_FAILURES if failed else RunStatus.SUCCEEDED
    return Outcome(status, message)


def _last_words(ingestion: Ingestion) -> str:
    if ingestion.held_back:
        return (
            f"Done. {ingestion.held_back:,} artifacts are gone from the source, which is unusually "
            "many: they were kept"
        )
    return "Done"


async def _fail(work: Work, code: str, message: str, action: str) -> Outcome:
    async def write(step: Step) -> None:
        reason = {"code": code, "message": message, "action": action, "until": None}
        step.tell(EventKind.FAILED, reason=reason, rate=None, eta=None, activity=message)

    return await _end(work, write, Outcome(RunStatus.FAILED, message))


async def _hand_over(work: Work) -> Outcome:
    async def write(step: Step) -> None:
        step.tell(
            EventKind.ATTEMPT_HANDED_OVER,
            {"worker": work.services.settings.name},
            activity="Handed over: waiting for another worker",
            rate=None,
            eta=None,
        )

    async def release() -> None:
        await work.journal.commit(write)
        crashpoints.reached("handover.told")
        async with work.database.transaction() as tx:
            await runs.release(tx, work.run.id, work.run.attempt)

    try:
        await release()
    except (AttemptFenced, RunEnded) as refusal:
        return Outcome(None, str(refusal))
    crashpoints.reached("handover.released")
    await work.services.wakeup.ring()
    return Outcome(RunStatus.QUEUED, str(HandedOver()))


async def _let_wait(work: Work, wait: MustWait) -> Outcome:
    async def write(step: Step) -> None:
        until = wait.until
        if wait.reason is WaitingReason.REAUTHORIZATION:
            until = await look_again(step.tx, work) or until
        if isinstance(wait, MustAsk):
            until = await ask(step.tx, work, wait)
        await runs.park(step.tx, work.run.id, work.run.attempt, until=until)
        reason = wait.told()
        step.tell(EventKind.WAITING, reason=reason, rate=None, eta=None, activity=str(wait))
        step.last = True
        crashpoints.reached("wait.writing")

    outcome = await _end(work, write, Outcome(RunStatus.WAITING, str(wait)))
    crashpoints.reached("wait.committed")
    return outcome


async def _end(work: Work, write: Callable[[Step], Awaitable[None]], outcome: Outcome) -> Outcome:
    try:
        await work.journal.commit(write)
    except (AttemptFenced, RunEnded) as refusal:
        return Outcome(None, str(refusal))
    log.info("attempt.ended", status=outcome.status, message=outcome.message)
    return outcome


async def _together(*works: Any) -> None:
    """Run them at once; the first error stops the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in works:
                group.create_task(each)
    except BaseExceptionGroup as errors:
        raise _foremost(errors) from None


def _foremost(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """That the run is not ours any more matters most; next, what we know the name of."""
    flat = [each for each in errors.exceptions if not isinstance(each, BaseExceptionGroup)]
    for kind in (AttemptFenced, RunEnded, HandedOver, MustWait, ConnectorError, PipelineError):
        for each in flat:
            if isinstance(each, kind):
                return each
    return flat[0]


def _code(error: Exception) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
