"""What webhooks were told and what did not reach them; telling it again."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api.hooks import ReplayWanted, delivery_shown
from api.hookviews import DeliveryView, Replayed
from api.needs import needs
from api.once import Answer, Once, Repeatable
from api.pagination import Paged
from api.problems import Code, Problem
from api.routes.webhooks import found, none
from api.schemas import Page
from api.services import Handed, Tenant
from storage.database import Tx
from storage.ids import TenantId
from storage.scopes import Scope
from storage.webhooks import Delivery, DeliveryId, DeliveryStatus, Webhook, WebhookId, replaying

router = APIRouter(prefix="/v1/webhooks/{webhook_id}", tags=["webhooks"])
Status = Annotated[DeliveryStatus | None, Query(description="Only those")]


@router.get(
    "/deliveries",
    dependencies=[needs(Scope.WEBHOOKS_READ)],
    operation_id="list_deliveries",
    summary="What it was told, and what did not reach it",
)
async def page(
    webhook_id: UUID,
    services: Handed,
    tenant: Tenant,
    *,
    status: Status = None,
    paging: Paged,
) -> Page[DeliveryView]:
    """The newest first, of thirty days."""
    listing = f"deliveries:{tenant}:{webhook_id}:{status}"
    async with services.database.reading() as tx:
        webhook = await found(tx, tenant, webhook_id)
        rows = await replaying.page(
            tx,
            tenant,
            webhook.id,
            status=status,
            after=paging.after(listing, DeliveryId),
            limit=paging.more,
        )
    some, following = paging.cut(listing, rows, lambda row: row.id)
    return Page(items=[delivery_shown(row) for row in some], next_cursor=following)


@router.post(
    "/test",
    dependencies=[needs(Scope.WEBHOOKS_WRITE)],
    operation_id="try_webhook",
    summary="Send it a webhook.test",
    status_code=202,
    response_model=DeliveryView,
)
async def probe(webhook_id: UUID, once: Repeatable) -> Response:
    """A worker sends it as it sends everything else: the deliveries tell what came of it."""
    return await _put_off(replaying.probe, webhook_id, once)


@router.post(
    "/deliveries/{delivery_id}/replay",
    dependencies=[needs(Scope.WEBHOOKS_WRITE)],
    operation_id="replay_delivery",
    summary="Deliver it again, by the same webhook-id",
    status_code=202,
    response_model=DeliveryView,
)
async def replay(webhook_id: UUID, delivery_id: UUID, once: Repeatable) -> Response:
    """Whatever became of it: also what was delivered, and what would be tried later."""

    async def again(tx: Tx, tenant: TenantId, webhook: WebhookId) -> Delivery | None:
        it = await replaying.replay(tx, tenant, webhook, DeliveryId(delivery_id))
        if it is None:
            raise Problem(Code.NOT_FOUND, f"There is no delivery {delivery_id} of the webhook.")
        return it

    return await _put_off(again, webhook_id, once)


@router.post(
    "/replay",
    dependencies=[needs(Scope.WEBHOOKS_WRITE)],
    operation_id="replay_failed",
    summary="Deliver again all that failed since a moment",
    status_code=202,
    response_model=Replayed,
)
async def replay_failed(webhook_id: UUID, wanted: ReplayWanted, once: Repeatable) -> Response:
    """A thousand at once, the oldest first; `more` says whether to ask again."""

    async def work(tx: Tx) -> Answer:
        webhook = await _enabled(tx, once.tenant, webhook_id)
        number = await replaying.replay_failed(tx, once.tenant, webhook.id, since=wanted.since)
        more = number == replaying.AT_ONCE
        return Answer(202, {}, Replayed(replayed=number, more=more).model_dump(mode="json"))

    return await once.do(work, body=wanted)


async def _put_off(
    make: Callable[[Tx, TenantId, WebhookId], Awaitable[Delivery | None]],
    webhook_id: UUID,
    once: Once,
) -> Response:
    """Leave it to the workers."""

    async def work(tx: Tx) -> Answer:
        webhook = await _enabled(tx, once.tenant, webhook_id)
        made = await make(tx, once.tenant, webhook.id)
        if made is None:
            raise none(webhook_id)
        return Answer(202, {}, delivery_shown(made).model_dump(mode="json"))

    return await once.do(work)


async def _enabled(tx: Tx, tenant: TenantId, webhook_id: UUID) -> Webhook:
    webhook = await found(tx, tenant, webhook_id)
    if webhook.disabled_at is not None:
        raise Problem(
            Code.WEBHOOK_DISABLED, f"The webhook {webhook_id} was disabled: {webhook.disabled_for}."
        )
    return webhook
