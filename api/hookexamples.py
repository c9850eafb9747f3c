"""What answers about webhooks look like: see ``api.examples``."""

from collections.abc import Mapping
from typing import Any

from api.upkeepexamples import AT, CONNECTION_ID, RUN_ID

WEBHOOK = {
    "id": "01936f60-31aa-7c11-8e0d-6b2d9e4f7a21",
    "url": "https://app.example.com/headwater",
    "description": "",
    "events": ["run.failed", "run.succeeded"],
    "enabled": True,
    "disabled_at": None,
    "disabled_for": None,
    "failing_since": None,
    "delivered_at": AT,
    "overlap_until": None,
    "created_at": AT,
    "updated_at": AT,
}
MADE = {**WEBHOOK, "delivered_at": None, "secret": "whsec_<32 random bytes as base64>"}
DELIVERY = {
    "id": "01936f61-41aa-7c11-8e0d-6b2d9e4f7a21",
    "webhook_id": WEBHOOK["id"],
    "message_id": "msg_01936f6141aa7c118e0d6b2d9e4f7a20",
    "event": "run.succeeded",
    "connection_id": CONNECTION_ID,
    "run_id": RUN_ID,
    "status": "delivered",
    "attempts": 1,
    "next_at": None,
    "answered": 204,
    "trouble": None,
    "attempted_at": AT,
    "created_at": AT,
}
WAITS = {**DELIVERY, "status": "pending", "attempts": 0, "next_at": AT, "answered": None}

ANSWERS: Mapping[str, Any] = {
    "create_webhook": MADE,
    "list_webhooks": {"items": [WEBHOOK], "next_cursor": None},
    "get_webhook": WEBHOOK,
    "change_webhook": WEBHOOK,
    "rotate_webhook": {**MADE, "overlap_until": "2026-11-24T09:30:00+00:00"},
    "try_webhook": {**WAITS, "event": "webhook.test", "connection_id": None, "run_id": None},
    "list_deliveries": {"items": [DELIVERY], "next_cursor": None},
    "replay_delivery": WAITS,
    "replay_failed": {"replayed": 17, "more": False},
}
