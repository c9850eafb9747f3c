"""The Prefect shells of an ingestion and of any other workflow: they name, order and show.

No decisions here.

One flow run is one attempt; a task is a partition or a batch, never an artifact. Prefect is given
ids, and retries nothing: what is tried again, and from where, is in the components and in SQL.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ParamSpec
from uuid import UUID

import structlog
from prefect import Task, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from connectors.artifact import PartitionKey
from pipelines.flows.attempt import Outcome, perform
from pipelines.flows.execution import execute
from pipelines.flows.ingestion import Ingestion
from pipelines.flows.steps import Plain
from pipelines.runtime import Work, borrow, open_work
from storage.errors import AttemptFenced, RunEnded
from storage.events import RunStatus
from storage.ids import Attempt, RunId

P = ParamSpec("P")


@flow(name="ingest", retries=0, persist_result=False, log_prints=False)
async def ingest(run_id: UUID, attempt: int) -> State[None]:
    return await _attempt(run_id, attempt, lambda work: perform(work, Tasks))


@flow(name="workflow", retries=0, persist_result=False, log_prints=False)
async def workflow(run_id: UUID, attempt: int) -> State[None]:
    return await _attempt(run_id, attempt, execute)


async def _attempt(
    run_id: UUID, attempt: int, doing: Callable[[Work], Awaitable[Outcome]]
) -> State[None]:
    with structlog.contextvars.bound_contextvars(run=str(run_id), attempt=attempt):
        try:
            async with (
                borrow() as services,
                open_work(services, RunId(run_id), Attempt(attempt)) as work,
            ):
                return _state(await doing(work))
        except (AttemptFenced, RunEnded) as refusal:
            return _state(Outcome(None, str(refusal)))


@dataclass(frozen=True, slots=True)
class Tasks:
    """The parts of an ingestion as Prefect tasks. Their names tell nothing of the source."""

    ingestion: Ingestion

    async def crawl(self, partition: PartitionKey) -> None:
        await _task("crawl", Plain(self.ingestion).crawl)(partition)

    async def batch(self, number: int) -> None:
        await _task("batch {number}", Plain(self.ingestion).batch)(number)

    async def tidy(self, partition: PartitionKey) -> None:
        await _task("tidy", Plain(self.ingestion).tidy)(partition)


def _task(name: str, part: Callable[P, Coroutine[Any, Any, None]]) -> Task[P, Any]:
    return task(
        name=name.partition(" ")[0],
        task_run_name=name,
        retries=0,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(part)


def _state(outcome: Outcome) -> State[None]:
    """Prefect's state follows ours."""
    match outcome.status:
        case RunStatus.SUCCEEDED:
            return Completed(message=outcome.message)
        case RunStatus.SUCCEEDED_WITH_FAILURES:
            return Completed(name="CompletedWithFailures", message=outcome.message)
        case RunStatus.FAILED:
            return Failed(message=outcome.message)
        case RunStatus.WAITING:
            return Cancelled(name="Waiting", message=outcome.message)
        case RunStatus.QUEUED:
            return Cancelled(name="HandedOver", message=outcome.message)
        case _:
            return Cancelled(name="Superseded", message=outcome.message)
