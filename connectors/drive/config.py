"""What a user states about Google Drive, and how far a read of it has come."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from connectors.google.walk import Place

_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
_PAGE = re.compile(
    r"https://drive\.google\.com/drive/(?:u/\d+/)?folders/([A-Za-z0-9_-]+)(?:[/?#].*)?"
)


class PickedConfig(BaseModel):
    """Those files that their owner picked while consenting."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    max_bytes: int = Field(
        default=20_000_000,
        ge=1,
        le=100_000_000,
        title="Largest file",
        description="Larger files are skipped, in bytes.",
    )
    units_a_minute: int | None = Field(
        default=None,
        ge=1_000,
        title="Units a minute",
        description="What to spend of a user's quota, if not all that Google allows.",
    )


class DriveConfig(PickedConfig):
    """Folders and shared drives; none named means everything the account can see."""

    folders: tuple[str, ...] = Field(
        default=(),
        max_length=200,
        title="Folders",
        description="Folders and shared drives, each by its address or its id.",
        examples=[["https://drive.google.com/drive/folders/1AbCdEf"]],
    )

    @field_validator("folders")
    @classmethod
    def _named(cls, folders: tuple[str, ...]) -> tuple[str, ...]:
        ids = [folder_of(folder) for folder in folders]
        named = tuple(each for each in ids if each)
        if len(named) < len(folders):
            raise ValueError("give each folder by its address in Google Drive, or by its id")
        if len(set(named)) < len(named):
            raise ValueError("a folder is named twice")
        return named


class DriveCursor(Place):
    """``listed`` is how many files the listing has told so far."""

    v: Literal[1] = 1
    listed: int = 0


def folder_of(text: str) -> str | None:
    """The id in the address of a folder or a shared drive; an id is its own."""
    page = _PAGE.fullmatch(text)
    if page:
        return page[1]
    return text if _ID.fullmatch(text) else None


def locate(text: str) -> dict[str, object] | None:
    """The address of a folder or a shared drive, or its id."""
    folder = folder_of(text)
    return {"folders": [folder]} if folder else None
