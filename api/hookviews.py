"""What is shown of webhooks: apart from the rest, so that clients load no database for it."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from api.schemas import View


class WebhookView(View):
    """Who is told of what, and how that goes."""

    id: UUID
    url: str
    description: str
    events: list[str] | None = None
    enabled: bool
    disabled_at: datetime | None = None
    disabled_for: str | None = Field(
        default=None,
        description="`asked`; `gone`: it answered 410; `failing`: nothing came through for days",
    )
    failing_since: datetime | None = Field(
        default=None, description="Nothing came through since; null: the last one did"
    )
    delivered_at: datetime | None = Field(
        default=None, description="The last one that came through"
    )
    overlap_until: datetime | None = Field(
        default=None, description="How long the secret before the last one signs, too"
    )
    created_at: datetime
    updated_at: datetime


class WebhookMade(WebhookView):
    """``secret`` is shown this once: keep it where the receiver finds it."""

    secret: str


class DeliveryView(View):
    """One event on its way to one webhook."""

    id: UUID
    webhook_id: UUID
    message_id: str = Field(description="As its receiver gets it in `webhook-id`")
    event: str
    connection_id: UUID | None = None
    run_id: UUID | None = None
    status: str = Field(description="`pending`, `delivered`, or `failed`: until it is replayed")
    attempts: int = Field(description="That came to an end, since it was made or replayed")
    next_at: datetime | None = Field(default=None, description="When it is tried next")
    answered: int | None = Field(default=None, description="The status of the last answer")
    trouble: str | None = Field(default=None, description="Why the last attempt failed")
    attempted_at: datetime | None = None
    created_at: datetime


class Replayed(View):
    """``more``: some are left; ask again."""

    replayed: int
    more: bool
