"""What a user states about a Gmail mailbox, and how far a read of it has come."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.google.walk import Place


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


class GmailCursor(Place):
    """``after`` is the last thread that was told of the part of the listing being read."""

    v: Literal[1] = 1
    after: str = Field(default="", max_length=100)
