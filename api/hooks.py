"""What is asked of webhooks over the wire, and what is shown of them."""

from datetime import UTC, datetime
from typing import Annotated

import httpx
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, field_validator

from api.hookviews import DeliveryView, WebhookView
from api.schemas import NO_NUL, Request
from storage.webhooks import Delivery, Kind, Webhook

URL_MOST = 2_000
PORTS_END = 65_536
OVERLAP_HOURS = 24
OVERLAP_MOST = 7 * 24


def _address(value: str) -> str:
    try:
        url = httpx.URL(value)
        sane = value.isascii() and url.scheme in {"http", "https"} and bool(url.host)
        sane &= url.port is None or 0 < url.port < PORTS_END
    except (httpx.InvalidURL, ValueError):
        sane = False
    if not sane or any(letter.isspace() for letter in value):
        raise ValueError("is no URL such as https://example.com/headwater")
    if url.userinfo or url.fragment:
        raise ValueError("must have no user, password or fragment")
    return value


Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=URL_MOST, pattern=NO_NUL),
    AfterValidator(_address),
]
Description = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=200, pattern=NO_NUL)
]


class WebhookWanted(Request):
    """Who is to be told of what."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "url": "https://app.example.com/headwater",
                    "events": ["run.succeeded", "run.failed"],
                }
            ]
        }
    )

    url: Url = Field(description="https; it is sent POST requests, and followed nowhere")
    description: Description = ""
    events: Annotated[frozenset[Kind], Field(min_length=1)] | None = Field(
        default=None, description="Null: all there are, and all there will be"
    )

    @field_validator("events")
    @classmethod
    def _worth_asking(cls, events: frozenset[Kind] | None) -> frozenset[Kind] | None:
        if events is not None and Kind.TEST in events:
            raise ValueError("webhook.test is told to whom it is asked for, and to nobody else")
        return events

    @property
    def kinds(self) -> list[str] | None:
        return None if self.events is None else sorted(self.events)


class WebhookChange(WebhookWanted):
    """The whole of it, as it is to be from now on."""

    enabled: bool = Field(
        default=True, description="False: told nothing. True also ends what disabled it"
    )


class RotateWanted(Request):
    """How long the secret before signs beside the new one."""

    overlap_hours: Annotated[int, Field(ge=0, le=OVERLAP_MOST)] = OVERLAP_HOURS


class ReplayWanted(Request):
    """What failed of what was made since then."""

    since: datetime = Field(description="With its time zone")

    @field_validator("since")
    @classmethod
    def _in_a_zone(cls, since: datetime) -> datetime:
        if since.tzinfo is None:
            raise ValueError("must have a time zone, such as Z")
        try:
            return since.astimezone(UTC)
        except OverflowError:
            raise ValueError("is no moment in UTC") from None


def shown(it: Webhook) -> WebhookView:
    return WebhookView(
        id=it.id,
        url=it.url,
        description=it.description,
        events=None if it.kinds is None else list(it.kinds),
        enabled=it.disabled_at is None,
        disabled_at=it.disabled_at,
        disabled_for=it.disabled_for,
        failing_since=it.failing_since,
        delivered_at=it.delivered_at,
        overlap_until=it.overlap_until,
        created_at=it.created_at,
        updated_at=it.updated_at,
    )


def delivery_shown(it: Delivery) -> DeliveryView:
    return DeliveryView(
        id=it.id,
        webhook_id=it.webhook,
        message_id=it.message_id,
        event=it.kind,
        connection_id=it.connection,
        run_id=it.run,
        status=it.status,
        attempts=it.attempts,
        next_at=it.due_at,
        answered=it.answered,
        trouble=it.trouble,
        attempted_at=it.attempted_at,
        created_at=it.created_at,
    )
