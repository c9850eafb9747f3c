"""What goes over the wire about deletions that wait for somebody to say that they are right."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from api.schemas import View


class DeletionView(View):
    """What a listing of the source lacked, and is kept until it is approved or certain."""

    id: UUID
    connection_id: UUID
    partition: str
    run_id: UUID = Field(description="The run that found it last")
    artifacts: int
    total: int = Field(description="How many the partition held")
    reason: str = Field(
        description="`everything`; `many`; `recent`: added lately, as what a stale listing lacks"
    )
    found_at: datetime
    decision: str | None = Field(
        default=None,
        description="`approved`, `declined`, or `settled` by a later listing; null while it waits",
    )
    decided_at: datetime | None = None


class DeletionDetail(DeletionView):
    """``sample``: some of what would go, while it waits."""

    sample: list[str] = Field(default_factory=list)


class Decided(DeletionView):
    """``hidden``: how many went with this approval. They are purged a week later."""

    hidden: int = 0
