"""One case from its first process to its last finding."""

import asyncio
import random
import shutil
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx

from storage import milestones, runs
from storage.events import EventKind
from storage.ids import RunId
from storage.runs import Run
from storage.streams.redis import RedisEventLog
from tests.chaos import rig
from tests.chaos.actions import ACTIONS, CONDITIONS
from tests.chaos.auditor import Auditor, redone
from tests.chaos.case import BATCH, RECOVERY_SECONDS, Case, Step
from tests.chaos.disk import small_disk
from tests.chaos.rig import Script
from tests.chaos.source import Source
from tests.chaos.stack import Stack, open_stack
from tests.chaos.stage import Stage
from tests.chaos.watcher import Watcher
from tests.waiting import wait_until

STEP_SECONDS = 60.0
END_SECONDS = 90.0
LOOK_SECONDS = 0.02
NO_RUN = RunId(UUID(int=0))


@dataclass(slots=True, kw_only=True)
class Result:
    """What became of a case. No ``findings``: it went as it must."""

    name: str
    findings: list[str] = field(default_factory=list[str])
    faults: int = 0
    seconds: float = 0.0
    redone: int = 0
    losses: int = 0
    recoveries: list[float] = field(default_factory=list[float])
    events: int = 0
    cuts: int = 0
    gaps: int = 0
    artifacts: int = 0
    logs: Path | None = None


@dataclass(slots=True, kw_only=True)
class Play:
    """A case that is under way, for ``actions`` to act on."""

    case: Case
    stack: Stack
    source: Source
    auditor: Auditor
    rng: random.Random
    result: Result
    run: RunId = NO_RUN
    connection: str = ""
    watchers: list[Watcher] = field(default_factory=list[Watcher])
    noted: str = ""
    since: float = field(default_factory=time.monotonic)
    _watching: list["asyncio.Task[None]"] = field(default_factory=list["asyncio.Task[None]"])

    async def go(self) -> None:
        if self.case.second:
            await self._first_run()
        self.stack.crash = self.case.crash
        self.stack.more = dict(self.case.settings)
        self.result.faults += bool(self.case.crash)
        for name in self.case.workers:
            self.stack.start_worker(name)
        for step in self.case.before:
            await self.take(step)
        await self.start_run()
        self.watch()
        for step in self.case.steps:
            await self.take(step)
        await self.end(index=not self.case.again)
        if self.case.again:
            self.source.tell(Script())
            await self.start_run()
            self.watch()
            await self.end(index=True)

    async def take(self, step: Step) -> None:
        """Wait until it is time, and do it. What was broken by then is found out at once."""
        word, _, argument = step.when.partition(" ")
        condition = CONDITIONS[word or "now"]
        self.since = time.monotonic()
        try:
            await wait_until(lambda: condition(self, argument), within_seconds=STEP_SECONDS)
        except AssertionError:
            await self.blame(f"I5 it was never time for {step.do!r}: {step.when}")
            return
        word, _, argument = step.do.partition(" ")
        await ACTIONS[word](self, argument)
        self.result.faults += step.is_fault
        if self.run.int:
            self.result.findings += await self.auditor.at_any_time(
                self.run, source_stays=not self.case.again
            )

    async def end(self, *, index: bool) -> None:
        await self.stack.heal()
        try:
            await wait_until(self.is_over, within_seconds=END_SECONDS)
        except AssertionError:
            await self.blame(f"I5 the run is not over within {END_SECONDS:g} s")
        await self._farewell()
        expected = self.case.expected if index else None
        self.result.findings += await self.auditor.at_the_end(self.run, expected)
        for watcher in self.watchers:
            self.result.findings += [f"reader: {wrong}" for wrong in watcher.wrong]
            self.result.events += watcher.events
            self.result.cuts += watcher.cuts
            self.result.gaps += watcher.gaps
        if 0 < self.case.calm_seconds < (longest := self.watchers[1].longest):
            await self.blame(f"reader: was told nothing for {longest:.1f} s")
        if self.case.must_crash and self.case.crash:
            await self._crashed()
        await self._measure()

    async def start_run(self) -> None:
        """Ask the api, as often as it takes: a request that was cut off is repeated."""

        async def asked() -> bool:
            with suppress(Exception):
                response = await self.stack.http.post(
                    f"{self.stack.url}/v1/connections/{await self._connect()}/runs"
                )
                if response.is_success:
                    self.run = RunId(UUID(response.json()["run"]["id"]))
                    return True
            return False

        await wait_until(asked, within_seconds=STEP_SECONDS)

    def watch(self) -> None:
        """One reader that is cut off all the time, and one that never is."""
        url = f"{self.stack.url}/v1/runs/{self.run}/events"
        self.watchers = [
            Watcher(self.stack.http, url, _seeded(self.rng.random()), cut=cut)
            for cut in (True, False)
        ]
        self._watching = [asyncio.create_task(each.watch()) for each in self.watchers]

    async def row(self) -> Run:
        async with self.stack.database.reading() as tx:
            run = await runs.find(tx, self.run)
        assert run is not None, "the run is gone"
        return run

    async def is_over(self) -> bool:
        return (await self.row()).finished_at is not None

    async def blame(self, finding: str) -> None:
        run = await self.row() if self.run.int else None
        now = f"{run.status}, attempt {run.attempt} of {run.worker}" if run else "no run"
        self.result.findings.append(f"{finding} ({now})")

    def close(self) -> None:
        for task in self._watching:
            task.cancel()

    async def _connect(self) -> str:
        if not self.connection:
            given = {"path": str(self.source.folder), "script": str(self.source.script)}
            response = await self.stack.http.post(
                f"{self.stack.url}/v1/connections", json={"kind": rig.KIND, "config": given}
            )
            response.raise_for_status()
            self.connection = response.json()["id"]
        return self.connection

    async def _first_run(self) -> None:
        """All is well, and then the source changes."""
        self.stack.start_worker("first")
        await self.start_run()
        await wait_until(self.is_over, within_seconds=END_SECONDS)
        self.stack.supervised = False
        await ACTIONS["kill"](self, "first")
        await wait_until(lambda: "first" not in self.stack.workers)
        self.stack.supervised = True
        self.stack.deaths.clear()
        self.source.change()

    async def _farewell(self) -> None:
        """The readers get to the end, and so does the stream."""
        row, log = await self.row(), self.auditor.log

        async def shown() -> bool:
            """To whoever looks: which also mends what nobody told."""
            with suppress(httpx.HTTPError):
                response = await self.stack.http.get(f"{self.stack.url}/v1/runs/{self.run}")
                return response.is_success and response.json()["status"] == row.status
            return False

        async def told() -> bool:
            """The first look may have come while the api still told it from SQL."""
            position = await log.position(self.run)
            return await shown() and position is not None and position.ended

        try:
            await wait_until(shown, within_seconds=20)
            await wait_until(told, within_seconds=20)
            await wait_until(lambda: all(t.done() for t in self._watching), within_seconds=20)
        except AssertionError:
            open_ones = [each.cursor for each in self.watchers if not each.ended]
            await self.blame(f"I3 readers at {open_ones} were never told the end")
        for task in self._watching:
            if task.done() and (error := task.exception()):
                raise error

    async def _crashed(self) -> None:
        """A death after the last commit may be noticed later than the end of the run."""
        try:
            await wait_until(lambda: bool(self.stack.deaths))
        except AssertionError:
            await self.blame(f"harness: nobody came by {self.case.crash}")

    async def _measure(self) -> None:
        run = await self.row()
        self.result.redone = redone(self.stack.work_log)
        self.result.artifacts = run.counts.processed
        async with self.stack.database.reading() as tx:
            told = await milestones.after(tx, self.run, 0)
        begun = [e.at.timestamp() for _, e in told if e.kind is EventKind.STARTED]
        for death in self.stack.deaths:
            later = [at - death.at for at in begun if at > death.at]
            if later:
                self.result.recoveries.append(later[0])
        slow = [each for each in self.result.recoveries if each > RECOVERY_SECONDS]
        self.result.findings += [f"I5 it took {each:.1f} s to go on" for each in slow]
        lost = sum(event.kind is EventKind.ATTEMPT_LOST for _, event in told)
        self.result.losses += lost
        most = BATCH * max(self.result.losses, len(self.stack.deaths))
        if self.result.redone > most:
            finding = f"I7 {self.result.redone} documents were read again, at most {most} may be"
            self.result.findings.append(finding)


@asynccontextmanager
async def _supervised(stack: Stack) -> AsyncGenerator[None]:
    async def mind() -> None:
        while True:
            stack.supervise()
            await stack.mind_api()
            await rig.pause(LOOK_SECONDS)

    task = asyncio.create_task(mind())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled() and (error := task.exception()):
            raise error


async def play(case: Case, stage: Stage, *, seed: int = 0, stack: Stack | None = None) -> Result:
    """Play it, on a fresh stack if none is given; whatever it raises is a finding, too."""
    began = time.monotonic()
    place = stage.place / f"{case.slug}-{seed}"
    place.mkdir(parents=True)
    result = Result(name=case.name, logs=place)
    try:
        if stack is None:
            await _play(case, stage, place, result, seed)
        else:
            await _play_on(stack, case, place, result, seed)
    except Exception as error:  # noqa: BLE001  # the edge of a case: the others go on
        result.findings.append(f"harness: {type(error).__name__}: {error}")
    result.findings = list(dict.fromkeys(result.findings))
    result.seconds = time.monotonic() - began
    if not result.findings:
        shutil.rmtree(place, ignore_errors=True)
    return result


async def _play_on(stack: Stack, case: Case, place: Path, result: Result, seed: int) -> None:
    rng = _seeded(f"{case.name}-{seed}")
    source = Source(place, rng, git=case.git)
    source.make(case.size)
    source.tell(case.script)
    auditor = Auditor(
        database=stack.database,
        log=RedisEventLog(stack.redis),
        source=source,
        logs=stack.logs,
        secrets=(stack.password,),
    )
    play = Play(case=case, stack=stack, source=source, auditor=auditor, rng=rng, result=result)
    try:
        async with _supervised(stack):
            await stack.start_api()
            await wait_until(stack.api_answers, within_seconds=STEP_SECONDS)
            await play.go()
    finally:  # not under supervision: what is killed now must not be started again
        play.close()
        await stack.close()


async def _play(case: Case, stage: Stage, place: Path, result: Result, seed: int) -> None:
    with small_disk(place / "disk") if case.small_disk else nullcontext(place) as disk:
        url = await stage.databases[case.database].make(disk)
        async with open_stack(place, stage.nursery, url) as stack:
            await _play_on(stack, case, place, result, seed)


def _seeded(seed: float | str) -> random.Random:
    return random.Random(seed)  # noqa: S311  # to be the same each time
