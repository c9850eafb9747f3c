"""The brief: what a connection holds, in a page, with the sources of every sentence.

For the end of an onboarding: the text is told as the model writes it. Without a model it is put
together from what was extracted, and says so.
"""

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from pipelines.context import Context
from pipelines.errors import MustWait
from pipelines.library import Book
from pipelines.llm.cleaning import clean
from pipelines.llm.errors import AnswerLost
from pipelines.llm.gateway import Call, Gateway
from pipelines.llm.prompts import load
from pipelines.tokens import count
from pipelines.workflow import workflow
from storage.events import WaitingReason
from storage.ids import ConnectionId

PROMPT = load("brief", 1)
MOST_SOURCES = 40
MOST_OUTPUT_TOKENS = 900
BROKEN_OFF = timedelta(seconds=10)
NO_MODEL = "No language model is configured: this is put together from extracts."
_CITED = re.compile(r"\[(\d{1,3})\]")
_SHOWN_WITHOUT_MODEL = 12


class BriefRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    connection_id: UUID
    focus: Annotated[str, Field(max_length=500)] = Field(
        default="", description="What the reader wants to know most"
    )
    sources: Annotated[int, Field(ge=1, le=MOST_SOURCES)] = Field(
        default=24, description="How many artifacts it may draw on, the weightiest first"
    )


class Citation(BaseModel):
    """What ``[number]`` in the text refers to."""

    number: int
    artifact_id: int
    title: str
    path: str | None
    url: str | None


class Brief(BaseModel):
    """``text`` is Markdown. ``model`` is null, and ``note`` says so, where no model wrote it."""

    text: str
    citations: list[Citation]
    searchable: int = Field(description="How many artifacts of the connection can be searched")
    model: str | None
    note: str | None


@workflow(input=BriefRequest, output=Brief, title="A brief")
async def brief(context: Context, request: BriefRequest) -> AsyncIterator[str | Brief]:
    """Says on a page what a connection holds, with the source of every sentence."""
    connection = ConnectionId(request.connection_id)
    books = await context.library.weightiest(connection, limit=request.sources)
    searchable = await context.library.size(connection)
    text = ""
    async for piece in _written(context, request, books, searchable):
        text += piece
        yield piece
    model = context.model.name if context.model and books else None
    yield Brief(
        text=text,
        citations=_cited(text, books),
        searchable=searchable,
        model=model,
        note=None if model else NO_MODEL,
    )


async def _written(
    context: Context, request: BriefRequest, books: Sequence[Book], searchable: int
) -> AsyncIterator[str]:
    if context.model is None or not books:
        for line in _extracted(books, searchable):
            yield line
        return
    content = _content(request, books, searchable)
    call = Call(
        model=context.model.name,
        instructions=PROMPT.text,
        content=content,
        schema=None,
        max_output_tokens=MOST_OUTPUT_TOKENS,
        input_tokens=count(PROMPT.text) + count(content),
        caller=context.model.caller("brief"),
    )
    try:
        async for text in _told(context.model.gateway, call):
            context.vital.advance()
            yield text
    except AnswerLost as error:  # what was told of it can only be taken back by another attempt
        raise MustWait(
            WaitingReason.PROVIDER_DOWN,
            "The model broke off in the middle of the brief",
            action="Nothing to do: it begins again by itself.",
            until=context.clock.now() + BROKEN_OFF,
        ) from error


async def _told(gateway: Gateway, call: Call) -> AsyncIterator[str]:
    async with aclosing(gateway.stream(call)) as pieces:
        async for piece in pieces:
            if piece.text:
                yield piece.text


def _content(request: BriefRequest, books: Sequence[Book], searchable: int) -> str:
    """What it may draw on, as JSON, whose ends no text can forge."""
    sources = [
        {
            "number": number,
            "title": clean(book.title).text,
            "path": clean(book.path or "").text,
            "kind": book.kind,
            "summary": clean(book.summary).text,
            "facts": [clean(fact).text for fact in book.facts[:5]],
        }
        for number, book in enumerate(books, 1)
    ]
    asked = {"focus": request.focus, "searchable": searchable, "sources": sources}
    return json.dumps(asked, ensure_ascii=False)


def _extracted(books: Sequence[Book], searchable: int) -> Iterator[str]:
    """A brief without a model: what there is, and what its weightiest parts begin with."""
    if not books:
        yield "Nothing of this connection can be searched yet.\n"
        return
    kinds = Counter(book.kind for book in books)
    most = ", ".join(f"{number} x {kind}" for kind, number in kinds.most_common(4))
    yield f"{searchable:,} artifacts can be searched. Of those that weigh most: {most}.\n\n"
    for number, book in enumerate(books[:_SHOWN_WITHOUT_MODEL], 1):
        name = book.path or book.title
        yield f"- **{name}**: {book.summary or book.title} [{number}]\n"


def _cited(text: str, books: Sequence[Book]) -> list[Citation]:
    """The sources that the text names. A number that no source has is passed over."""
    named = sorted({int(number) for number in _CITED.findall(text)})
    return [
        Citation(
            number=number,
            artifact_id=books[number - 1].id,
            title=books[number - 1].title,
            path=books[number - 1].path,
            url=books[number - 1].url,
        )
        for number in named
        if 1 <= number <= len(books)
    ]
