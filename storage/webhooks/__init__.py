"""Telling programs elsewhere what happens, by Standard Webhooks: who is told, what, and how often.

An event becomes a row for each webhook that wants it, in the transaction of what it tells
(``outbox``). Workers take the rows that are due (``sending``) and send them.
"""

from storage.webhooks.keeping import (
    MOST,
    change,
    create,
    disable,
    get,
    number,
    page,
    remove,
    reseal,
    rotate,
)
from storage.webhooks.sending import KEPT, PATIENCE, Failure, Load
from storage.webhooks.values import (
    PORTS,
    Delivery,
    DeliveryId,
    DeliveryStatus,
    Disabled,
    Kind,
    Webhook,
    WebhookId,
)

__all__ = [
    "KEPT",
    "MOST",
    "PATIENCE",
    "PORTS",
    "Delivery",
    "DeliveryId",
    "DeliveryStatus",
    "Disabled",
    "Failure",
    "Kind",
    "Load",
    "Webhook",
    "WebhookId",
    "change",
    "create",
    "disable",
    "get",
    "number",
    "page",
    "remove",
    "reseal",
    "rotate",
]
