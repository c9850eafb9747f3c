"""What goes over the wire about keys."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from api.schemas import Name, Request, View
from storage.keys import Key
from storage.scopes import OF_OWNERS, Scope

DAYS_MOST = 3_650
OVERLAP_HOURS = 24
OVERLAP_MOST = 8_760
Days = Annotated[int | None, Field(ge=1, le=DAYS_MOST, description="Null: good for ever")]


class KeyWanted(Request):
    """A key that may what is named, of what the caller itself may."""

    name: Name = Field(description="What it is for, to know it by")
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    owner: Name | None = Field(
        default=None, description="An end user: it sees and touches nobody else's"
    )
    expires_in_days: Days = None

    @model_validator(mode="after")
    def _owners_have_less(self) -> Self:
        strange = sorted(self.scopes - OF_OWNERS)
        if self.owner is not None and strange:
            raise ValueError(f"a key of one owner cannot have {', '.join(strange)}")
        return self


class KeyRotation(Request):
    """How long the old one is good beside the new one."""

    overlap_hours: Annotated[int, Field(ge=0, le=OVERLAP_MOST)] = OVERLAP_HOURS
    expires_in_days: Days = None


class KeyView(View):
    """All that may be shown of a key."""

    id: UUID
    prefix: str = Field(description="The middle of the key, which names it")
    name: str
    owner: str | None = None
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None


class KeyMade(KeyView):
    """``key`` is shown this once. Send it as `Authorization: Bearer`, from servers alone."""

    key: str


def shown(it: Key) -> KeyView:
    return KeyView(
        id=it.id,
        prefix=it.prefix,
        name=it.name,
        owner=it.owner,
        scopes=sorted(it.scopes),
        created_at=it.created_at,
        expires_at=it.expires_at,
        revoked_at=it.revoked_at,
        used_at=it.used_at,
    )
