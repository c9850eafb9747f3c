"""Another model's vectors: made in the background while the old ones serve, then put in charge.

One worker does it, the one that leads the others. It walks through all chunks by their ids, and
keeps what each call brings; after a death another one goes on with what is still lacking. What a
provider cannot embed is left to be found by its words.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain, groupby
from operator import attrgetter

import structlog

from pipelines import embedding, errands
from pipelines.errors import MustWait
from pipelines.llm.errors import ModelError
from pipelines.llm.gateway import ServiceClass
from pipelines.llm.thinking import Thinking
from pipelines.llm.vectors import CALLS_AT_ONCE, Vector, batches, settled
from pipelines.monitor import LEAD
from pipelines.runtime import Services
from storage import chunks, indexes, workers
from storage.errors import Refused, StorageUnavailable
from storage.ids import LOCAL_TENANT, ChunkId, TenantId
from storage.indexes import LOCAL, Index, Lacking

LOOK_SECONDS = 5.0
AGAIN = timedelta(minutes=10)
CHUNKS_AT_ONCE = 256

log = structlog.get_logger()


@dataclass(slots=True)
class Reindexer:
    services: Services
    _measured: Index | None = None
    _skipped: set[ChunkId] = field(default_factory=set[ChunkId])
    """Chunks for which there is no vector."""

    async def serve(self) -> None:
        """Look every few seconds whether the index is the one that is wanted, until cancelled."""
        while True:
            seconds = await self._round()
            await asyncio.sleep(seconds)

    async def make(self) -> Index:
        """Let the index that the settings want serve, and answer it.

        Raises what a call to a model does; what is made by then stays, and is not paid again.
        """
        wanted = await self._wanted()
        async with self.services.database.reading() as tx:
            serving = await indexes.serving(tx)
        if serving != wanted:
            log.info("index.begun", model=wanted.model, instead_of=serving.model)
            await indexes.prepare(self.services.database, wanted)
            await self._fill(wanted)
            while not await self._take_over(wanted):
                await self._fill(wanted)
            log.info("index.serves", model=wanted.model, dimension=wanted.dimension)
        while await self._drop_others(wanted):
            pass
        return wanted

    async def _round(self) -> float:
        """Answers how many seconds later to look again."""
        try:
            if await self._leads():
                await self.make()
        except (StorageUnavailable, Refused) as error:
            log.warning("index.waits", reason=str(error))
        except MustWait as wait:
            log.warning("index.waits", reason=str(wait), action=wait.action)
            now = self.services.clock.now()
            until = wait.until or now + AGAIN
            return max(LOOK_SECONDS, (until - now).total_seconds())
        except ModelError as error:
            log.warning("index.waits", reason=str(error), action=error.action)
            return AGAIN.total_seconds()
        return LOOK_SECONDS

    async def _leads(self) -> bool:
        async with self.services.database.transaction() as tx:
            return await workers.lead(tx, self.services.settings.name, lease=LEAD)

    async def _wanted(self) -> Index:
        thinking = self.services.thinking
        if thinking is None or thinking.embedding_model is None:
            return LOCAL
        if self._measured is None:
            said = ["How many dimensions has this?"]
            [vector] = await self._asked(thinking, LOCAL_TENANT, said, thinking.embedding_model)
            if isinstance(vector, ModelError):
                raise vector
            dimension = len(vector or b"") // chunks.BYTES_A_NUMBER
            self._measured = Index(thinking.embedding_model, dimension)
        return self._measured

    async def _fill(self, index: Index) -> None:
        """One walk through all chunks that lack a vector."""
        after = ChunkId(0)
        while True:
            async with self.services.database.reading() as tx:
                found = await indexes.lacking(tx, index, after=after, limit=CHUNKS_AT_ONCE)
            if not found:
                return
            after = found[-1].chunk
            new = [each for each in found if each.chunk not in self._skipped]
            for tenant, group in groupby(new, attrgetter("tenant")):
                await self._embed(index, tenant, list(group))
            log.info("index.grew", model=index.model, upto=after)

    async def _embed(self, index: Index, tenant: TenantId, lacking: Sequence[Lacking]) -> None:
        database = self.services.database
        digests = {each.digest for each in lacking}
        async with database.reading() as tx:
            known = await chunks.vectors(tx, tenant, digests, model=index.model)
        texts = {each.digest: each.text for each in lacking if each.digest not in known}
        keys, turn = list(texts), asyncio.Semaphore(CALLS_AT_ONCE)
        calls = [[keys[row] for row in rows] for rows in batches(list(texts.values()))]
        wordless = texts.keys() - set(chain.from_iterable(calls))
        await self._add(index, lacking, {**known, **dict.fromkeys(wordless)})

        async def fill(part: Sequence[str]) -> None:
            async with turn:
                made = await self._made(index, tenant, [texts[key] for key in part])
                await self._add(index, lacking, dict(zip(part, made, strict=True)))

        await settled(fill(part) for part in calls)

    async def _add(
        self, index: Index, lacking: Sequence[Lacking], found: Mapping[str, Vector]
    ) -> None:
        mine = {each: found[each.digest] for each in lacking if each.digest in found}
        vectors = {each: vector for each, vector in mine.items() if isinstance(vector, bytes)}
        self._skipped |= {each.chunk for each in mine if each not in vectors}
        async with self.services.database.transaction() as tx:
            await indexes.add(tx, index, vectors)

    async def _made(self, index: Index, tenant: TenantId, texts: Sequence[str]) -> list[Vector]:
        thinking = self.services.thinking
        if index != LOCAL and thinking is not None:
            return await self._asked(thinking, tenant, texts, index.model, index.dimension)
        return [*await self.services.workshop.run(embedding.embed, list(texts))]

    async def _asked(
        self,
        thinking: Thinking,
        tenant: TenantId,
        texts: Sequence[str],
        model: str,
        dimension: int | None = None,
    ) -> list[Vector]:
        return await errands.embed(
            thinking,
            self.services.database,
            tenant,
            texts,
            model=model,
            dimension=dimension,
            service=ServiceClass.SCHEDULED,
        )

    async def _take_over(self, index: Index) -> bool:
        async with self.services.database.transaction() as tx:
            return await indexes.take_over(tx, index, without=self._skipped)

    async def _drop_others(self, index: Index) -> int:
        async with self.services.database.transaction() as tx:
            return await indexes.drop_others(tx, index)
