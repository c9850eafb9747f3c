"""What was answered to an Idempotency-Key, kept in the transaction that did what was asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from storage.bulk import insert
from storage.clock import now
from storage.database import Tx
from storage.errors import KeyReused
from storage.ids import TenantId
from storage.tables import requests

__all__ = ["Answer", "KeyReused", "forget", "keep", "replay"]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]


async def replay(tx: Tx, tenant: TenantId, route: str, key: str, fingerprint: str) -> Answer | None:
    """The answer this request got before, or None. Raises ``KeyReused`` if it was another one."""
    query = select(requests).where(
        requests.c.tenant_id == tenant, requests.c.route == route, requests.c.key == key
    )
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    if row.fingerprint != fingerprint:
        raise KeyReused(f"The idempotency key {key!r} was used for a different request.")
    return Answer(status=row.status, headers=row.headers, body=row.body)


async def keep(  # noqa: PLR0917  # what ``replay`` takes, and the answer
    tx: Tx, tenant: TenantId, route: str, key: str, fingerprint: str, answer: Answer
) -> Answer:
    """Keep the answer unless another process was faster; the kept one is to be given."""
    row = {
        "tenant_id": tenant,
        "route": route,
        "key": key,
        "fingerprint": fingerprint,
        "status": answer.status,
        "headers": dict(answer.headers),
        "body": dict(answer.body),
        "created_at": now(),
    }
    await tx.execute(insert(tx, requests).values(row).on_conflict_do_nothing())
    return await replay(tx, tenant, route, key, fingerprint) or answer


async def forget(tx: Tx, *, before: datetime) -> int:
    """Drop the answers given before a moment. Answers how many there were."""
    return (await tx.execute(delete(requests).where(requests.c.created_at < before))).rowcount
