"""What goes over the wire about what browsers are given."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, field_validator

from api.addresses import origin
from api.schemas import Name, Request, View
from storage.scopes import OF_OWNERS, Scope

RUNS_MOST = 100
Origin = Annotated[str, Field(max_length=300), AfterValidator(origin)]


class TokenWanted(Request):
    """For one owner, or for all of the tenant's if it is null; for some runs, or for any."""

    owner: Name | None = Field(description="Null: of every owner, for a page of your own staff")
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    run_ids: Annotated[frozenset[UUID], Field(min_length=1, max_length=RUNS_MOST)] | None = None
    origin: Origin = Field(
        description="Of the pages that may use it, such as https://app.example.com"
    )

    @field_validator("scopes")
    @classmethod
    def _for_browsers(cls, scopes: frozenset[Scope]) -> frozenset[Scope]:
        strange = sorted(scopes - OF_OWNERS)
        if strange:
            raise ValueError(f"{', '.join(strange)} is not for browsers")
        return scopes


class TokenMade(View):
    """Send it as `Authorization: Bearer`; never put it into a URL."""

    token: str
    expires_at: datetime


class TicketMade(View):
    """Opens a stream of the run once, within a minute; for the next time ask again."""

    ticket: str
    expires_at: datetime
