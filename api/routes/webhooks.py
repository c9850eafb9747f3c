"""Who is told of events by HTTP: docs/webhooks.md says what they get.

What answers with a secret is not answered twice to one Idempotency-Key: then the secret would have
to be kept in the clear. A webhook whose secret got lost is rotated, or deleted.
"""

import ipaddress
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import httpx
import structlog
from fastapi import APIRouter, Response

from api.hooks import RotateWanted, WebhookChange, WebhookWanted, shown
from api.hookviews import WebhookMade, WebhookView
from api.needs import needs
from api.pagination import Paged
from api.problems import Code, Problem
from api.schemas import Page
from api.services import Handed, Services, Tenant
from connectors.egress import HostRefused, Policy
from storage import tenants, webhooks
from storage.clock import now
from storage.database import Tx
from storage.ids import TenantId
from storage.scopes import Scope
from storage.webhooks import MOST, PORTS, Webhook, WebhookId

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
log = structlog.get_logger()
NO_STORE = "no-store"


@router.post(
    "",
    dependencies=[needs(Scope.WEBHOOKS_WRITE)],
    operation_id="create_webhook",
    summary="Tell a program elsewhere what happens from now on",
    status_code=201,
)
async def create(
    wanted: WebhookWanted, services: Handed, tenant: Tenant, response: Response
) -> WebhookMade:
    """The secret is shown this once."""
    _check(services, wanted.url)
    async with services.database.transaction() as tx:
        await tenants.settle(tx, tenant)
        if await webhooks.number(tx, tenant) >= MOST:
            raise Problem(Code.TOO_MANY_WEBHOOKS, f"There are {MOST} webhooks already.")
        made, secret = await webhooks.create(
            tx,
            services.doors.keyring,
            tenant,
            url=wanted.url,
            description=wanted.description,
            kinds=wanted.kinds,
        )
    log.info("webhook.created", webhook=str(made.id))
    response.headers["Cache-Control"] = NO_STORE
    response.headers["Location"] = f"/v1/webhooks/{made.id}"
    return WebhookMade(**shown(made).model_dump(), secret=secret)


@router.get(
    "",
    dependencies=[needs(Scope.WEBHOOKS_READ)],
    operation_id="list_webhooks",
    summary="Who is told, and how that goes",
)
async def page(services: Handed, tenant: Tenant, paging: Paged) -> Page[WebhookView]:
    """The newest first."""
    listing = f"webhooks:{tenant}"
    async with services.database.reading() as tx:
        rows = await webhooks.page(
            tx, tenant, after=paging.after(listing, WebhookId), limit=paging.more
        )
    some, following = paging.cut(listing, rows, lambda row: row.id)
    return Page(items=[shown(row) for row in some], next_cursor=following)


@router.get(
    "/{webhook_id}",
    dependencies=[needs(Scope.WEBHOOKS_READ)],
    operation_id="get_webhook",
    summary="One that is told, and how that goes",
)
async def one(webhook_id: UUID, services: Handed, tenant: Tenant) -> WebhookView:
    async with services.database.reading() as tx:
        return shown(await found(tx, tenant, webhook_id))


@router.put(
    "/{webhook_id}",
    dependencies=[needs(Scope.WEBHOOKS_WRITE)],
    operation_id="change_webhook",
    summary="Change where and of what it is told, disable it, enable it again",
)
async def change(
    webhook_id: UUID, wanted: WebhookChange, services: Handed, tenant: Tenant
) -> WebhookView:
    """While it is disabled nothing is kept for it; what was on its way can be replayed."""
    _check(services, wanted.url)
    async with services.database.transaction() as tx:
        changed = await webhooks.change(
            tx,
            tenant,
            WebhookId(webhook_id),
            url=wanted.url,
            description=wanted.description,
            kinds=wanted.kinds,
            enabled=wanted.enabled,
        )
    if changed is None:
        raise none(webhook_id)
    return shown(changed)


@router.delete(
    "/{webhook_id}",
    dependencies=[needs(Scope.WEBHOOKS_WRITE)],
    operation_id="delete_webhook",
    summary="Tell it nothing more, and forget it with its deliveries",
    status_code=204,
)
async def delete(webhook_id: UUID, services: Handed, tenant: Tenant) -> None:
    async with services.database.transaction() as tx:
        if not await webhooks.remove(tx, tenant, WebhookId(webhook_id)):
            raise none(webhook_id)


@router.post(
    "/{webhook_id}/rotate",
    dependencies=[needs(Scope.WEBHOOKS_WRITE)],
    operation_id="rotate_webhook",
    summary="A new secret, and the one before signs beside it for a while",
)
async def rotate(
    webhook_id: UUID,
    services: Handed,
    tenant: Tenant,
    response: Response,
    wanted: RotateWanted,
) -> WebhookMade:
    """The secret is shown this once. One that leaked: rotate with `overlap_hours` 0."""
    until = now() + timedelta(hours=wanted.overlap_hours)
    async with services.database.transaction() as tx:
        rotated = await webhooks.rotate(
            tx, services.doors.keyring, tenant, WebhookId(webhook_id), until=until
        )
    if rotated is None:
        raise none(webhook_id)
    response.headers["Cache-Control"] = NO_STORE
    return WebhookMade(**shown(rotated[0]).model_dump(), secret=rotated[1])


async def found(tx: Tx, tenant: TenantId, webhook_id: UUID) -> Webhook:
    it = await webhooks.get(tx, tenant, WebhookId(webhook_id))
    if it is None:
        raise none(webhook_id)
    return it


def none(webhook_id: UUID) -> Problem:
    return Problem(Code.NOT_FOUND, f"There is no webhook {webhook_id}.")


def _check(services: Services, text: str) -> None:
    """Refuse now what sending would refuse for certain. What a name leads to is looked at then."""
    url, exceptions = httpx.URL(text), services.doors.egress
    allowed = Policy(hosts=frozenset({url.host}), ports=PORTS, exceptions=exceptions)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        with suppress(ValueError):  # a name
            allowed.check_addresses(url.host, port, [ipaddress.ip_address(url.host)])
    except HostRefused as error:
        raise Problem(Code.WEBHOOK_REFUSED, str(error), action=error.action) from error
    if not exceptions.networks and (url.scheme != "https" or port not in PORTS):
        ports = " and ".join(map(str, sorted(PORTS)))
        raise Problem(Code.WEBHOOK_REFUSED, f"Webhooks are told over https, at the ports {ports}.")
