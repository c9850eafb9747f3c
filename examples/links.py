"""Looking after the links of a page: many items, some of them bad, and somebody who approves.

With PYTHONPATH=. HEADWATER_WORKFLOWS=examples.links, `headwater up` has it: see docs/workflows.md.
"""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from http import HTTPStatus
from operator import attrgetter
from typing import Annotated
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field

from connectors import egress
from connectors.artifact import FailureClass
from pipelines.component import component
from pipelines.context import Context
from pipelines.guards import Boundary, Once, Retry, Timeout, Traced
from pipelines.items import Failed
from pipelines.workflow import workflow

Url = Annotated[str, Field(pattern=r"^https?://", max_length=2_000)]


class Links(BaseModel):
    model_config = ConfigDict(extra="forbid")

    urls: list[Url] = Field(min_length=1, max_length=10_000)
    review: bool = Field(default=True, description="Whether somebody approves the report")


class Link(BaseModel):
    """The day is part of it: what was seen today is not asked again today, and is tomorrow."""

    url: str
    on: date

    @property
    def key(self) -> str:
        return f"{self.on} {self.url}"


class Approval(BaseModel):
    approved: bool
    note: str = Field(default="", max_length=500)


class Report(BaseModel):
    seen: int
    broken: list[str]
    published: bool
    note: str


class Broken(Exception):
    """What the link leads to is not there."""

    failure = FailureClass.NOT_FOUND
    action = "Correct the link, or take it out."


@component(
    Traced(),
    Boundary(),
    Once(version=1),
    Retry(on=(httpx.TransportError,)),
    Timeout(seconds=60),
    key=attrgetter("key"),
)
async def visit(context: Context, link: Link) -> int:  # noqa: ARG001  # as a component is called
    """The status at the end of the link. Only to the internet, but for what an operator allows."""
    policy = egress.Policy(
        hosts=frozenset({urlsplit(link.url).hostname or ""}), ports=frozenset({80, 443})
    )
    async with egress.client(policy) as client:
        status = (await client.get(link.url)).status_code
    if status >= HTTPStatus.BAD_REQUEST:
        raise Broken(f"{link.url} answers {status}.")
    return status


@workflow(input=Links, output=Report, title="Check links")
async def check_links(context: Context, given: Links) -> AsyncIterator[str | Report]:
    """Visits every link, tells which are broken, and has the report approved."""
    today = datetime.now(UTC).date()
    broken: list[str] = []
    async for each in context.map(visit, [Link(url=url, on=today) for url in given.urls]):
        if isinstance(each, Failed):
            broken.append(each.item.url)
            yield f"- {each.failure.detail}\n"
    broken.sort()
    yield f"{len(broken)} of {len(given.urls)} links are broken.\n"
    said = Approval(approved=True)
    if given.review:
        message = f"{len(broken)} links are broken. Publish the report?"
        said = await context.ask("publish", Approval, message, about={"broken": broken[:100]})
    yield Report(
        seen=len(given.urls) - len(broken),
        broken=broken,
        published=said.approved,
        note=said.note,
    )
