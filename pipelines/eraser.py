"""Erases what was disconnected, step by step. Every worker looks; each step may be done twice."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol, assert_never

import structlog

from pipelines.rounds import come_to, every
from pipelines.runtime import Services
from storage import crashpoints, erasing
from storage.erasing import Erasure, Step
from storage.errors import StorageUnavailable
from storage.ids import Attempt, RunId

LOOK_SECONDS = 2.0

log = structlog.get_logger()


class Memory(Protocol):
    """Who else remembers runs: the orchestrator."""

    async def forget(self, runs: Collection[tuple[RunId, Attempt]]) -> None: ...


@dataclass(slots=True)
class Eraser:
    services: Services
    memory: Memory
    away: tuple[type[Exception], ...] = ()
    """What ``memory`` raises where it cannot be reached: it is tried again."""

    async def watch(self) -> None:
        """Look every few seconds, until cancelled."""
        await every(LOOK_SECONDS, self.look, waits="erasing.waits")

    async def look(self) -> None:
        """Bring all that was asked for to its end. One that must wait holds up no other."""
        async with self.services.database.reading() as tx:
            unfinished = await erasing.unfinished(tx)
        waits: tuple[type[Exception], ...] = (*self.away, StorageUnavailable)
        await come_to(unfinished, self.erase, waits="erasing.waits", passing=waits)

    async def erase(self, erasure: Erasure) -> None:
        while erasure.finished_at is None:
            await self._do(erasure)
            async with self.services.database.reading() as tx:
                after = await erasing.get(tx, erasure.tenant, erasure.id)
            if after is None:
                return
            erasure = after
        log.info("erasing.done", erasure=str(erasure.id), **erasure.counts)

    async def _do(self, erasure: Erasure) -> None:
        match erasure.step:
            case Step.DATA:
                await self._erase_rows(erasure)
                return
            case Step.STREAMS:
                await self._forget_streams(erasure)
            case Step.ORCHESTRATOR:
                await self.memory.forget(erasure.runs)
            case Step.FILES:
                await self._forget_streams(erasure)  # whatever a fenced attempt still told
                await self.services.log.scrub()  # the outputs are in the same server
                await erasing.scrub(self.services.database)
            case Step.DONE:
                return
            case _:
                assert_never(erasure.step)
        crashpoints.reached("erasing.step")
        async with self.services.database.transaction() as tx:
            await erasing.advance(tx, erasure)

    async def _erase_rows(self, erasure: Erasure) -> None:
        more = True
        while more:
            async with self.services.database.transaction() as tx:
                more = await erasing.erase_some(tx, erasure)
                crashpoints.reached("erasing.rows")

    async def _forget_streams(self, erasure: Erasure) -> None:
        runs = [run for run, _ in erasure.runs]
        await self.services.log.forget(runs)
        await self.services.outputs.forget(runs)
