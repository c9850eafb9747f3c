"""One attempt at a workflow: what it says is told, and what it comes to is kept."""

import asyncio
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from connectors import egress
from pipelines.component import component
from pipelines.context import Context
from pipelines.errors import PipelineError, StageFailed, WorkflowBroken
from pipelines.flows.attempt import Outcome, conclude
from pipelines.guards import Boundary, Traced
from pipelines.journal import Step
from pipelines.runtime import Work
from pipelines.speaker import Speaker
from pipelines.workflow import Workflow
from storage import crashpoints, results
from storage.events import STATUS_AFTER, EventKind, RunStatus
from storage.results import Result

LOOK_SECONDS = 0.25
"""How often it looks whether it should stop: what it does may be broken off anywhere."""

GRACE_SECONDS = 10.0
"""How long items may take that are in hand then."""


async def execute(work: Work) -> Outcome:
    """Do the run's workflow from its beginning, and say how it ended. Only bugs are raised."""
    speaker = Speaker(
        run=work.run.id,
        attempt=work.run.attempt,
        log=work.services.outputs.inner,
        clock=work.services.clock,
    )
    speaking = asyncio.create_task(speaker.speak(), name=f"speak-{work.run.id}")
    try:
        # What it fetches by ``connectors.egress`` keeps to the rules of connectors.
        with egress.excepting(work.services.settings.egress):
            outcome = await conclude(work, lambda: _Execution(work, speaker).go())
    finally:
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
    if outcome.status is RunStatus.FAILED:
        await speaker.finish(EventKind.FAILED, {"status": outcome.status})
    return outcome


@dataclass(slots=True)
class _Execution:
    work: Work
    speaker: Speaker

    async def go(self) -> Outcome:
        workflow = self.work.services.workflows.get(self.work.run.workflow)
        if workflow is None:
            unknown = WorkflowBroken(
                f"This worker has no workflow named {self.work.run.workflow!r}.",
                action="Start a worker that has it, then ask again.",
            )
            raise StageFailed("workflow", unknown)
        await self._begin()
        try:
            output = await self._unless_stopped(workflow)
        except PipelineError:  # it goes on later, or has failed: what it paid is paid
            await self.work.context.records.charge()
            raise
        return await self._succeed(output)

    async def _begin(self) -> None:
        work = self.work

        async def write(step: Step) -> None:
            work.progress.activity = "At work"
            step.tell(EventKind.STARTED, rate=None, eta=None, reason=None)

        await work.journal.commit(write)
        crashpoints.reached("workflow.begun")

    async def _unless_stopped(self, workflow: Workflow[Any, Any]) -> Any:
        """What it comes to. Raises ``HandedOver`` when it is told to stop before that."""
        body = asyncio.create_task(say_all(self.work.context, workflow, self.work, self.speaker))
        try:
            while not body.done():
                await asyncio.wait({body}, timeout=LOOK_SECONDS)
                if self.work.stopping:
                    await self._stop(body)
        finally:
            body.cancel()
            await asyncio.wait({body})
        return body.result()

    async def _stop(self, body: "asyncio.Task[Any]") -> None:
        """Let items come to their end that are in hand: they may have cost something."""
        hands, clock = self.work.context.records.hands, asyncio.get_running_loop().time
        end = clock() + min(GRACE_SECONDS, self.work.services.settings.drain_seconds / 2)
        while hands.keys and not body.done() and clock() < end:
            await asyncio.wait({body}, timeout=LOOK_SECONDS)
        if not body.done():
            self.work.go_on()

    async def _succeed(self, output: Any) -> Outcome:
        work, speaker = self.work, self.speaker
        result = Result(text=speaker.text, items=speaker.items, output=output)

        await work.context.records.charge()
        failed = sum(work.journal.counts.failed.values())
        kind = EventKind.SUCCEEDED_WITH_FAILURES if failed else EventKind.SUCCEEDED

        async def write(step: Step) -> None:
            await results.keep(step.tx, work.run.tenant, work.run.id, result)
            work.progress.activity = "Done"
            step.tell(kind, rate=None, eta=None, reason=None)
            crashpoints.reached("result.writing")

        await work.journal.commit(write)
        crashpoints.reached("result.committed")
        status = STATUS_AFTER[kind]
        await speaker.finish(kind, {"status": status, "output": output})
        return Outcome(status, f"{work.run.title} came to its end")


@component(Traced(), Boundary())
async def say_all(
    context: Context, workflow: Workflow[Any, Any], work: Work, speaker: Speaker
) -> Any:
    """Do it, telling what it yields; answers its result as JSON."""
    results_: list[Any] = []
    async for each in workflow.begin(context, work.run.input):
        if workflow.is_result(each):
            results_.append(each)
        elif isinstance(each, str):
            speaker.say(each)
        else:
            speaker.show(to_jsonable_python(each))
        crashpoints.reached("workflow.said")
    return _output(workflow, results_, speaker)


def _output(workflow: Workflow[Any, Any], found: list[Any], speaker: Speaker) -> Any:
    if workflow.output is str:
        return speaker.text
    if len(found) != 1:
        raise WorkflowBroken(
            f"Workflow {workflow.name} came to {len(found)} results; it must be one.",
            action=f"Yield or return one {workflow.output.__name__}, at the end.",
        )
    return TypeAdapter(workflow.output).dump_python(found[0], mode="json")
