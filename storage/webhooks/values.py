"""What a webhook is, and what is delivered to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType
from uuid import UUID

from sqlalchemy import Row

from storage.ids import ConnectionId, RunId, TenantId

WebhookId = NewType("WebhookId", UUID)
DeliveryId = NewType("DeliveryId", UUID)


PORTS = frozenset({443, 8443})
"""At which a webhook may be, but where the operator allows more."""


class Kind(StrEnum):
    """What can be told. Those of runs are called as their events are."""

    RUN_STARTED = "run.started"  # every attempt at it tells it
    RUN_WAITING = "run.waiting"
    RUN_RESUMED = "run.resumed"
    RUN_PAUSED = "run.paused"
    RUN_QUERYABLE = "run.queryable"
    RUN_SUCCEEDED = "run.succeeded"
    RUN_SUCCEEDED_WITH_FAILURES = "run.succeeded_with_failures"
    RUN_FAILED = "run.failed"
    RUN_CANCELLED = "run.cancelled"
    DELETION_HELD = "deletion.held"
    CONNECTION_CREATED = "connection.created"
    CONNECTION_NEEDS_REAUTHORIZATION = "connection.needs_reauthorization"
    CONNECTION_REAUTHORIZED = "connection.reauthorized"
    CONNECTION_DISCONNECTED = "connection.disconnected"
    CONNECTION_ERASED = "connection.erased"
    TEST = "webhook.test"  # told to those alone of whom it is asked


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"  # nobody tries any more, until it is replayed


class Disabled(StrEnum):
    """Why nothing is delivered to a webhook any more."""

    ASKED = "asked"
    GONE = "gone"  # it answered 410
    FAILING = "failing"  # nothing came through for days


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """All that may be shown of it. ``kinds`` is None where it is told of everything."""

    id: WebhookId
    tenant: TenantId
    url: str
    description: str
    kinds: Sequence[str] | None
    overlap_until: datetime | None
    failing_since: datetime | None
    delivered_at: datetime | None
    disabled_at: datetime | None
    disabled_for: Disabled | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one webhook. ``due_at``: when it is tried next."""

    id: DeliveryId
    tenant: TenantId
    webhook: WebhookId
    message: UUID
    kind: Kind
    connection: ConnectionId | None
    run: RunId | None
    body: str
    status: DeliveryStatus
    due_at: datetime | None
    claims: int
    attempts: int
    answered: int | None
    trouble: str | None
    attempted_at: datetime | None
    created_at: datetime

    @property
    def message_id(self) -> str:
        """As receivers know it, whichever attempt and whichever replay it comes by."""
        return f"msg_{self.message.hex}"


def webhook_of(row: Row[Any]) -> Webhook:
    return Webhook(
        id=WebhookId(row.id),
        tenant=TenantId(row.tenant_id),
        url=row.url,
        description=row.description,
        kinds=row.kinds,
        overlap_until=row.overlap_until,
        failing_since=row.failing_since,
        delivered_at=row.delivered_at,
        disabled_at=row.disabled_at,
        disabled_for=row.disabled_for and Disabled(row.disabled_for),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def delivery_of(row: Row[Any]) -> Delivery:
    return Delivery(
        id=DeliveryId(row.id),
        tenant=TenantId(row.tenant_id),
        webhook=WebhookId(row.webhook_id),
        message=row.message_id,
        kind=Kind(row.kind),
        connection=row.connection_id and ConnectionId(row.connection_id),
        run=row.run_id and RunId(row.run_id),
        body=row.body,
        status=DeliveryStatus(row.status),
        due_at=row.due_at,
        claims=row.claims,
        attempts=row.attempts,
        answered=row.answered,
        trouble=row.trouble,
        attempted_at=row.attempted_at,
        created_at=row.created_at,
    )
