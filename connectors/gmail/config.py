"""What a user states about a Gmail mailbox, and how far a read of it has come."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.events import Cursor


class Table(StrEnum):
    """Google's prices. Projects made since May 2026 pay the new ones, older ones still the old."""

    NEW = "2026"
    LEGACY = "legacy"


class GmailConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    table: Table = Field(
        default=Table.NEW,
        title="Quota",
        description="Which of Google's quota tables the project of this deployment is under.",
    )
    units_a_minute: int | None = Field(
        default=None,
        ge=100,
        title="Units a minute",
        description="What to spend of a user's quota, if not all that the table allows.",
    )


class Phase(StrEnum):
    LISTING = "listing"
    REPLAY = "replay"  # of what happened since the listing began
    DONE = "done"


class GmailCursor(Cursor):
    """``anchor`` is the history that everything before is known of, pinned before the listing.

    ``token`` begins the part of the listing that is being read, ``after`` is the last thread of it
    that was told. ``passes`` counts listings, none after the last one; ``lost`` says that mail was
    deleted during one, so that another may have slipped past it.
    """

    v: Literal[1] = 1
    phase: Phase = Phase.LISTING
    anchor: str = Field(default="", max_length=40)
    token: str = Field(default="", max_length=2_000)
    after: str = Field(default="", max_length=100)
    passes: int = 1
    lost: bool = False
