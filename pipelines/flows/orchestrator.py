"""The Prefect server, as the dispatcher needs it: where attempts are placed, and shown.

Only calls of the public client. The server is a shell: whose turn it is and how an attempt ended is
decided by the run's row, and the server's states follow.
"""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

import httpx
import structlog
from prefect import Flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterIdempotencyKey,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import OrchestrationResult, SetStateStatus
from prefect.exceptions import Abort, ObjectAlreadyExists, ObjectNotFound, PrefectException
from prefect.flow_engine import run_flow_async
from prefect.states import Crashed, Pending

from pipelines.flows.ingest import ingest, workflow
from pipelines.vital import Mine
from pipelines.workflow import INGEST
from storage.ids import Attempt, RunId

AWAY = (httpx.HTTPError, PrefectException, OSError)
"""What the client raises when the server does not answer, or answers that it cannot."""

SHELLS: Mapping[str, Flow[[UUID, int], Any]] = {
    INGEST: cast("Flow[[UUID, int], Any]", ingest),
    "workflow": cast("Flow[[UUID, int], Any]", workflow),
}
"""The flows there are: one for ingestions, one for all other workflows."""

OF_WORKFLOW = "workflow:"
"""The tag that says which one it is, so that a worker leaves alone what it does not know."""
AT_ONCE = 100

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Placed:
    """A flow run and the attempt it is for."""

    flow_run: FlowRun
    run: RunId
    attempt: Attempt
    workflow: str

    @property
    def held(self) -> Mine:
        return self.run, self.attempt


@asynccontextmanager
async def open_orchestrator(pool: str) -> AsyncGenerator["Orchestrator"]:
    async with get_client() as client:
        yield Orchestrator(client, pool)


@dataclass(slots=True)
class Orchestrator:
    client: PrefectClient
    pool: str
    _deployments: dict[str, UUID] = field(default_factory=dict[str, UUID])
    """By the name of the shell."""

    @property
    def url(self) -> str:
        return str(self.client.api_url)

    async def healthy(self) -> bool:
        return await self.client.api_healthcheck() is None

    async def register(self, worker: str) -> None:
        """Make the pool and the deployment, or bring them up to date."""
        with suppress(ObjectAlreadyExists):
            await self.client.create_work_pool(WorkPoolCreate(name=self.pool, type="headwater"))
        for name, shell in SHELLS.items():
            self._deployments[name] = await self.client.create_deployment(
                await self.client.create_flow(shell),
                "headwater",
                work_pool_name=self.pool,
                entrypoint=f"pipelines/flows/ingest.py:{name}",
                description="One attempt at a run. Start runs through Headwater's api.",
                enforce_parameter_schema=False,
            )
        await self.greet(worker)

    async def greet(self, worker: str) -> None:
        """Show that the pool has a worker."""
        await self.client.send_worker_heartbeat(self.pool, worker, heartbeat_interval_seconds=30)

    async def place(self, run: RunId, attempt: Attempt, *, workflow: str, name: str) -> None:
        """Make a flow run for the attempt. Doing it twice makes one."""
        deployment = self._deployments.get(INGEST if workflow == INGEST else "workflow")
        if deployment is None:
            raise PrefectException("the deployments are not registered")
        await self.client.create_flow_run_from_deployment(
            deployment,
            parameters={"run_id": str(run), "attempt": attempt},
            name=name,
            idempotency_key=f"{run}:{attempt}",
            tags=[f"{OF_WORKFLOW}{workflow}"],
        )

    async def waiting(self) -> Sequence[Placed]:
        found = await self.client.get_scheduled_flow_runs_for_work_pool(self.pool)
        return [placed for each in found if (placed := _placed(each.flow_run))]

    async def reserve(self, placed: Placed) -> bool:
        """Ask for the flow run. False if another worker has it already."""
        answer: OrchestrationResult[None] = await self.client.set_flow_run_state(
            placed.flow_run.id, Pending()
        )
        return answer.status is SetStateStatus.ACCEPT

    async def perform(self, placed: Placed) -> str:
        """Run it here, in this loop. Answers in words how it ended; only cancellation is raised."""
        ingestion = placed.flow_run.deployment_id == self._deployments.get(INGEST)
        shell = SHELLS[INGEST if ingestion else "workflow"]
        parameters: dict[str, Any] = {"run_id": placed.run, "attempt": placed.attempt}
        try:
            state = cast(
                "State[None] | None",  # Prefect types what a flow returns, not its state
                await run_flow_async(
                    shell, flow_run=placed.flow_run, parameters=parameters, return_type="state"
                ),
            )
        except Abort as refusal:  # somebody cancelled or took the flow run; no Exception to Prefect
            return f"Aborted: {refusal}"
        return f"{state.name}: {state.message}" if state else "unknown"

    async def unfinished(self) -> Sequence[Placed]:
        """Flow runs that the server believes to be under way."""
        if not self._deployments:
            return []
        types = [StateType.PENDING, StateType.RUNNING]
        found = await self.client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                deployment_id=FlowRunFilterDeploymentId(any_=[*self._deployments.values()]),
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=types)),
            )
        )
        return [placed for each in found if (placed := _placed(each))]

    async def forget(self, runs: Collection[tuple[RunId, Attempt]]) -> None:
        """Delete the flow runs of all attempts at these runs. Doing it again is harmless."""
        keys = [f"{run}:{number}" for run, last in runs for number in range(1, last + 1)]
        for start in range(0, len(keys), AT_ONCE):
            some = FlowRunFilterIdempotencyKey(any_=keys[start : start + AT_ONCE])
            for each in await self.client.read_flow_runs(
                flow_run_filter=FlowRunFilter(idempotency_key=some), limit=AT_ONCE
            ):
                with suppress(ObjectNotFound):
                    await self.client.delete_flow_run(each.id)

    async def write_off(self, placed: Placed) -> None:
        state: Any = Crashed(message="The process that ran this attempt is gone.")
        await self.client.set_flow_run_state(placed.flow_run.id, state, force=True)


def _placed(flow_run: FlowRun) -> Placed | None:
    """None for a flow run that somebody started by hand with other parameters."""
    given = flow_run.parameters
    try:
        run, attempt = RunId(UUID(given["run_id"])), Attempt(int(given["attempt"]))
        return Placed(flow_run, run, attempt, _workflow(flow_run))
    except (KeyError, TypeError, ValueError):
        log.warning("orchestrator.stranger", flow_run=str(flow_run.id))
        return None


def _workflow(flow_run: FlowRun) -> str:
    """An ingestion where no tag says: so it was placed by a release that had none."""
    tags = (tag.removeprefix(OF_WORKFLOW) for tag in flow_run.tags if tag.startswith(OF_WORKFLOW))
    return next(tags, INGEST)
