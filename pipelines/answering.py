"""Embeds what people search for, for the processes that have no key: what is most urgent of all."""

import asyncio
from dataclasses import dataclass

import structlog

from pipelines import errands
from pipelines.errors import MustWait
from pipelines.llm.gateway import ServiceClass
from pipelines.llm.thinking import Thinking
from storage.chunks import BYTES_A_NUMBER
from storage.clock import now
from storage.database import Database
from storage.embedding import Vectors, unpack
from storage.errors import StorageUnavailable
from storage.queries import Queries, Query

WAIT_SECONDS = 5.0
AT_ONCE = 8

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    queries: Queries
    thinking: Thinking
    database: Database

    async def serve(self) -> None:
        """Answer until cancelled. A query that is too old is passed over: nobody waits for it."""
        await asyncio.gather(*(self._serve() for _ in range(AT_ONCE)))

    async def _serve(self) -> None:
        while True:
            try:
                query = await self.queries.take(WAIT_SECONDS)
                if query is not None and query.until > now():
                    await self.queries.answer(query, await self.vector(query))
            except StorageUnavailable as error:
                log.warning("answering.waits", reason=str(error))
                await asyncio.sleep(1)

    async def vector(self, query: Query) -> Vectors | None:
        """None if the model gives none in time."""
        try:
            [made] = await errands.embed(
                self.thinking,
                self.database,
                query.tenant,
                [query.text],
                model=query.model,
                dimension=None,
                service=ServiceClass.INTERACTIVE,
                deadline=query.until,
            )
        except MustWait as wait:
            log.warning("answering.without", reason=str(wait), action=wait.action)
            return None
        if not isinstance(made, bytes):
            return None
        row: Vectors = unpack([made], dimension=len(made) // BYTES_A_NUMBER)[0]
        return row
