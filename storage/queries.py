"""Queries on their way from a search to a worker, which embeds them, and the vectors back.

Only workers have the provider's key. ``hw:queries`` is a list of what is asked, the oldest last;
``hw:query:{id}`` is a list of one answer, a vector in base64 or "" for none. Both die within
seconds: who asked does not wait longer, and searches by words alone.
"""

import base64
import json
from collections import OrderedDict
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID, uuid4

import numpy as np
import structlog
from redis.asyncio import Redis

from storage.clock import now
from storage.embedding import Vectors
from storage.errors import StreamUnavailable
from storage.ids import TenantId
from storage.streams.connect import reaching

KEY = "hw:queries"
PATIENCE_SECONDS = 2.0
KEEP = timedelta(seconds=10)
DEAF = timedelta(seconds=10)
"""How long nobody is asked after nobody answered: no search should wait in vain twice."""

MOST = 200  # waiting; the oldest are forgotten first
REMEMBERED = 1_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    id: str
    model: str
    tenant: TenantId
    text: str
    until: datetime


@dataclass(slots=True)
class Queries:
    redis: Redis
    _known: OrderedDict[tuple[str, str], Vectors] = field(
        default_factory=OrderedDict[tuple[str, str], Vectors]
    )
    _deaf_until: datetime | None = None

    async def ask(self, model: str, tenant: TenantId, text: str) -> Vectors | None:
        """The vector of a text, by a worker; None if none gives one soon enough."""
        if (model, text) in self._known:
            self._known.move_to_end((model, text))
            return self._known[model, text]
        if self._deaf_until is not None and now() < self._deaf_until:
            return None
        vector = await self._asked(model, tenant, text)
        if vector is None:
            self._deaf_until = now() + DEAF
            return None
        self._known[model, text] = vector
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return vector

    async def take(self, seconds: float) -> Query | None:
        """What is asked next, as soon as there is something; None after so many seconds."""
        async with reaching(self.redis, seconds=seconds + PATIENCE_SECONDS):
            found = await cast(Awaitable[list[str] | None], self.redis.brpop([KEY], seconds))
        if found is None:
            return None
        told = json.loads(found[1])
        return Query(
            id=told["id"],
            model=told["model"],
            tenant=TenantId(UUID(told["tenant"])),
            text=told["text"],
            until=datetime.fromisoformat(told["until"]),
        )

    async def answer(self, query: Query, vector: Vectors | None) -> None:
        packed = b"" if vector is None else vector.astype("<f4").tobytes()
        async with reaching(self.redis), self.redis.pipeline(transaction=True) as both:
            both.lpush(_key(query.id), base64.b64encode(packed).decode())
            both.expire(_key(query.id), KEEP)
            await both.execute()

    async def _asked(self, model: str, tenant: TenantId, text: str) -> Vectors | None:
        id_, until = uuid4().hex, now() + timedelta(seconds=PATIENCE_SECONDS)
        told = {
            "id": id_,
            "model": model,
            "tenant": str(tenant),
            "text": text,
            "until": until.isoformat(),
        }
        try:
            async with reaching(self.redis, seconds=2 * PATIENCE_SECONDS):
                async with self.redis.pipeline(transaction=True) as all_of_it:
                    all_of_it.lpush(KEY, json.dumps(told))
                    all_of_it.ltrim(KEY, 0, MOST - 1)
                    all_of_it.expire(KEY, KEEP)
                    await all_of_it.execute()
                waiting = self.redis.blpop([_key(id_)], PATIENCE_SECONDS)
                found = await cast(Awaitable[list[str] | None], waiting)
        except StreamUnavailable as error:
            log.warning("queries.unanswered", reason=str(error))
            return None
        if not found or not found[1]:
            log.warning("queries.unanswered", model=model, reason="no worker embeds it")
            return None
        return np.frombuffer(base64.b64decode(found[1]), dtype="<f4").astype(np.float32)


def _key(id_: str) -> str:
    return f"hw:query:{id_}"
