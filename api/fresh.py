"""What goes over the wire about how fresh a connection is."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from api.schemas import View


class ChangesView(View):
    """What a run changed. ``links`` lead to the run, its receipt, what changed and what failed."""

    run_id: UUID
    status: str
    finished_at: datetime | None = None
    added: int
    updated: int
    deleted: int
    unchanged: int
    skipped: int
    failed: int
    links: dict[str, str]


class FreshnessView(View):
    """``newest_artifact_at`` is the source's own moment; null where a source tells none."""

    connection_id: UUID
    last_success_at: datetime | None = None
    newest_artifact_at: datetime | None = None
    next_run_at: datetime | None = Field(
        default=None,
        description="By its schedule; null without one, or while it is paused or held",
    )
    last_hint_at: datetime | None = Field(
        default=None, description="When its provider last told that something changed"
    )
    pending_hints: int = Field(default=0, description="Hints that have led to no run yet")
    last_run: ChangesView | None = Field(default=None, description="The last one that is over")
