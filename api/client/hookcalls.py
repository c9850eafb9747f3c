"""The calls about webhooks. No I/O here."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from api.client.calls import Call, once, query, reader
from api.hookviews import DeliveryView, Replayed, WebhookMade, WebhookView
from api.schemas import Page

PATH = "/v1/webhooks"


def create(url: str, *, events: Collection[str] | None, description: str) -> Call[WebhookMade]:
    body = {
        "url": url,
        "events": None if events is None else sorted(events),
        "description": description,
    }
    # The api keeps no secret for a repeated request: another one would be another webhook.
    return Call("POST", PATH, reader(WebhookMade), body=body, repeatable=False)


def page(cursor: str | None) -> Call[Page[WebhookView]]:
    return Call("GET", PATH, reader(Page[WebhookView]), query(cursor=cursor, limit=200))


def one(webhook_id: UUID | str) -> Call[WebhookView]:
    return Call("GET", f"{PATH}/{webhook_id}", reader(WebhookView))


def change(
    webhook_id: UUID | str,
    *,
    url: str,
    events: Collection[str] | None,
    description: str,
    enabled: bool,
) -> Call[WebhookView]:
    kinds = None if events is None else sorted(events)
    body = {"url": url, "events": kinds, "description": description, "enabled": enabled}
    return Call("PUT", f"{PATH}/{webhook_id}", reader(WebhookView), body=body)


def delete(webhook_id: UUID | str) -> Call[None]:
    return Call("DELETE", f"{PATH}/{webhook_id}", lambda _: None, repeatable=False)


def rotate(webhook_id: UUID | str, *, overlap_hours: int) -> Call[WebhookMade]:
    path, body = f"{PATH}/{webhook_id}/rotate", {"overlap_hours": overlap_hours}
    return Call("POST", path, reader(WebhookMade), body=body, repeatable=False)


def probe(webhook_id: UUID | str) -> Call[DeliveryView]:
    return Call("POST", f"{PATH}/{webhook_id}/test", reader(DeliveryView), headers=once())


def deliveries(
    webhook_id: UUID | str, cursor: str | None, *, status: str | None
) -> Call[Page[DeliveryView]]:
    params = query(cursor=cursor, status=status, limit=200)
    return Call("GET", f"{PATH}/{webhook_id}/deliveries", reader(Page[DeliveryView]), params)


def replay(webhook_id: UUID | str, delivery_id: UUID | str) -> Call[DeliveryView]:
    path = f"{PATH}/{webhook_id}/deliveries/{delivery_id}/replay"
    return Call("POST", path, reader(DeliveryView), headers=once())


def replay_failed(webhook_id: UUID | str, since: datetime) -> Call[Replayed]:
    path, body = f"{PATH}/{webhook_id}/replay", {"since": since.isoformat()}
    return Call("POST", path, reader(Replayed), body=body, headers=once())
