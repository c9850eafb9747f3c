"""Brings runs and processes together: claims what waits, places it, and runs what is placed here.

A run is claimed only while Prefect answers and a slot is free, so what nobody can start stays
queued. All that is held is renewed by the heart (see ``heartbeat``); what is held and neither
placed nor running is given back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from pipelines import exhaustion
from pipelines.flows.orchestrator import AWAY, Orchestrator, Placed
from pipelines.heartbeat import Heart
from pipelines.runtime import Services
from pipelines.vital import Mine
from pipelines.watching import watching
from storage import crashpoints, runs
from storage.errors import DatabaseUnavailable, Refused, StorageUnavailable
from storage.ids import RunId
from storage.runs import Run

PICK_UP = timedelta(seconds=30)  # how long what was placed may wait for a worker with a free slot
SWEEP_SECONDS = 30.0

log = structlog.get_logger()


@dataclass(slots=True)
class Dispatcher:
    services: Services
    orchestrator: Orchestrator
    _running: dict[Mine, "asyncio.Task[None]"] = field(
        default_factory=dict[Mine, "asyncio.Task[None]"]
    )
    _placed: dict[Mine, float] = field(default_factory=dict[Mine, float])
    _nudge: asyncio.Event = field(default_factory=asyncio.Event)
    _heart: Heart = field(init=False)

    def __post_init__(self) -> None:
        services = self.services
        self._heart = Heart(
            settings=services.settings,
            database=services.database,
            vitals=services.vitals,
            draining=services.draining.is_set,
            fenced=self._stop,
        )

    async def serve(self) -> None:
        """Work until ``services.draining``, then until what runs here has come to a boundary."""
        self._heart.start()
        watches = watching(self.services, self.orchestrator, self._due)
        works = self._tend, self._listen, self._sweep, *watches
        beside = [asyncio.create_task(work(), name=work.__qualname__) for work in works]
        drained = asyncio.create_task(self._wake_to_drain())
        try:
            while not self._draining:
                _insist_on(beside)
                self._heart.insist()
                self._nudge.clear()
                await self._guarded(self._dispatch)
                await self._nap()
            await self._drain()
        finally:
            for each in (*beside, drained):
                each.cancel()
            await asyncio.gather(*beside, drained, return_exceptions=True)
            await self._heart.stop()

    def _stop(self, held: Mine) -> None:
        """The run is another's now: whatever this attempt would write is refused."""
        if task := self._running.get(held):
            log.warning("dispatch.fenced", run=str(held[0]), attempt=held[1])
            task.cancel()

    def _due(self, run: RunId) -> None:
        self.services.unpublished.add(run)
        self._nudge.set()

    @property
    def _draining(self) -> bool:
        return self.services.draining.is_set()

    @property
    def _free(self) -> int:
        return self.services.settings.slots - len(self._running)

    async def _dispatch(self) -> None:
        await self._heed()
        waiting = await self.orchestrator.waiting()  # raises while nothing could be placed anyway
        if await self._claim():
            waiting = await self.orchestrator.waiting()
        for placed in await self._ours(waiting):
            if self._free <= 0 or self._draining:
                return
            if await self.orchestrator.reserve(placed):
                self._start(placed)

    async def _ours(self, waiting: Sequence[Placed]) -> Sequence[Placed]:
        """Without what another worker of the pool begins, as Prefect knows nothing of versions."""
        if not waiting:
            return ()
        attempts, version = [each.held for each in waiting], self.services.settings.version
        async with self.services.database.reading() as tx:
            others = await runs.of_others(tx, attempts, version=version)
        known, not_ours = self.services.known, {*others, *self._running}
        return [each for each in waiting if each.workflow in known and each.held not in not_ours]

    async def _heed(self) -> None:
        """Stop what shall stop: it hands over, and ``runs.honour`` or the next claim does the rest.

        That is what its user or a monitor wishes for, what is another version's now, and what can
        wait while somebody waits.
        """
        async with self.services.database.reading() as tx:
            mine = await runs.held(tx, worker=self.services.settings.name)
            misplaced = await runs.misplaced(tx, mine, version=self.services.settings.version)
            yielding = await runs.yielding(tx, mine, version=self.services.settings.version)
        wished = {(each.run, each.attempt) for each in mine if each.wish}
        self.services.stop({*wished, *misplaced, *yielding})

    async def _claim(self) -> bool:
        """Take runs for the free slots, unless we could not even hold on to what we have.

        Answers whether it took any.
        """
        settings, now = self.services.settings, asyncio.get_running_loop().time()
        free = self._free - len(self._placed)
        if free <= 0 or not self._heart.strong:
            return False
        async with self.services.database.transaction() as tx:
            self.services.unpublished.update(await runs.honour(tx))
            claimed = await runs.claim(
                tx,
                worker=settings.name,
                lease=settings.lease,
                limit=free,
                version=settings.version,
                workflows=self.services.known,
                take_over=self._heart.steady,
                from_itself=False,
            )
            for run in claimed:
                self._placed[run.id, run.attempt] = now
                crashpoints.reached("dispatch.claiming")
        for run in claimed:
            log.info("dispatch.claimed", run=str(run.id), attempt=run.attempt)
            crashpoints.reached("dispatch.claimed")
            await self._place(run)
            crashpoints.reached("dispatch.placed")
        return bool(claimed)

    async def _place(self, run: Run) -> None:
        if exhaustion.reached(run):
            await self._give_up(run)
            return
        # No title: whatever Prefect is told is kept where nobody erases it.
        name = f"{run.workflow} {run.id} · attempt {run.attempt}"
        try:
            await self.orchestrator.place(run.id, run.attempt, workflow=run.workflow, name=name)
        except AWAY:
            await self._give_back((run.id, run.attempt), tried=False)
            raise

    def _start(self, placed: Placed) -> None:
        self._placed.pop(placed.held, None)
        task = asyncio.create_task(self._perform(placed), name=f"run-{placed.run}")
        self._running[placed.held] = task

    async def _perform(self, placed: Placed) -> None:
        ended = "stopped"
        try:
            ended = await self.orchestrator.perform(placed)
        except AWAY as error:  # the run itself is over or not begun: only Prefect did not hear it
            log.warning("dispatch.untold", run=str(placed.run), reason=str(error))
        except Exception as error:  # noqa: BLE001  # the edge of a run: the others go on
            _tell_broken(placed, error)
        finally:
            log.info("dispatch.ended", run=str(placed.run), attempt=placed.attempt, state=ended)
            await self._give_back(placed.held)  # if the attempt itself could not
            del self._running[placed.held]
            self._nudge.set()

    async def _give_back(self, held: Mine, *, tried: bool = True) -> None:
        self._placed.pop(held, None)
        with suppress(Refused, DatabaseUnavailable):
            async with self.services.database.transaction() as tx:
                await runs.release(tx, *held, tried=tried)

    async def _give_up(self, run: Run) -> None:
        self._placed.pop((run.id, run.attempt), None)
        async with self.services.database.transaction() as tx:
            await runs.record(tx, run.id, exhaustion.told(run, at=self.services.clock.now()))
        self.services.unpublished.add(run.id)

    async def _tend(self) -> None:
        """Let go of what is not ours, and of what nobody picked up; carry over what was left."""
        while True:
            await self._guarded(self._tend_once)
            await asyncio.sleep(self.services.settings.renew_seconds)

    async def _tend_once(self) -> None:
        now = asyncio.get_running_loop().time()
        async with self.services.database.reading() as tx:
            mine = await runs.held(tx, worker=self.services.settings.name)
        ours = [(each.run, each.attempt) for each in mine]
        for held in ours:
            if held in self._running:
                continue
            if now - self._placed.get(held, float("-inf")) > PICK_UP.total_seconds():
                log.warning("dispatch.not_picked_up", run=str(held[0]), attempt=held[1])
                await self._give_back(held, tried=False)
        for held in [held for held in self._placed if held not in ours]:
            del self._placed[held]  # another worker has picked it up
        for run in list(self.services.unpublished):
            await self.services.relay.publish(run)
            self.services.unpublished.discard(run)

    async def _listen(self) -> None:
        await self._heart.begun.wait()
        self._nudge.set()
        while True:
            await self.services.wakeup.wait(30)
            self._nudge.set()

    async def _wake_to_drain(self) -> None:
        await self.services.draining.wait()
        self._nudge.set()

    async def _sweep(self) -> None:
        """Bring Prefect's states to ours: flow runs of attempts that are gone."""
        while True:
            await self._guarded(self._sweep_once)
            await asyncio.sleep(SWEEP_SECONDS)

    async def _sweep_once(self) -> None:
        await self.orchestrator.greet(self.services.settings.name)
        for placed in await self.orchestrator.unfinished():
            if placed.held in self._running:
                continue
            async with self.services.database.reading() as tx:
                run = await runs.find(tx, placed.run)
            if run is None or run.finished_at is not None or run.attempt != placed.attempt:
                await self.orchestrator.write_off(placed)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """One round of a loop; a server that is away is another round's business."""
        try:
            await work()
        except (*AWAY, StorageUnavailable, Refused) as error:
            log.warning("dispatch.waits", work=work.__name__, reason=str(error))

    async def _nap(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.services.settings.poll_seconds):
                await self._nudge.wait()

    async def _drain(self) -> None:
        log.info("dispatch.draining", runs=len(self._running))
        for held in list(self._placed):
            await self._give_back(held, tried=False)
        if not self._running:
            return
        tasks = list(self._running.values())
        await asyncio.wait(tasks, timeout=self.services.settings.drain_seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _insist_on(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """Without these no worker may go on: leases would run out unseen. Raises what ended one."""
    for task in tasks:
        if task.done():
            task.result()


def _tell_broken(placed: Placed, error: Exception) -> None:
    log.error("dispatch.broken", run=str(placed.run), attempt=placed.attempt, exc_info=error)
