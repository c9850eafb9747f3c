"""What goes over the wire, both ways. Requests are strict; views may grow."""

import json
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

NO_NUL = r"^[^\x00]*$"
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=NO_NUL),
]
Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=NO_NUL),
]
Json = dict[str, Any]


def _storable(value: Json) -> Json:
    """What JSON lets through and a database does not: NUL, half characters, not-a-number."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, RecursionError):
        raise ValueError("holds something that is neither text nor a number") from None
    if "\\u0000" in text:
        raise ValueError("holds a NUL character")
    return value


Config = Annotated[Json, AfterValidator(_storable)]
T = TypeVar("T")


class Request(BaseModel):
    """Something asked for. A field nobody knows is a mistake worth telling."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class View(BaseModel):
    """Something shown."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class Page(View, Generic[T]):
    """Some of a list. ``next_cursor`` is null at its end."""

    items: list[T]
    next_cursor: str | None = None


class CountsView(View):
    """What a run did: found = processed + unchanged + skipped + failed once it is over."""

    found: int = 0
    processed: int = 0
    unchanged: int = 0
    skipped: dict[str, int] = Field(default_factory=dict)
    failed: dict[str, int] = Field(default_factory=dict)
    deleted: int = 0
    bytes: int = 0
    chunks: int = 0
    tokens: int = 0
    embedded: int = 0
    model_calls: int = 0
    unread: dict[str, int] = Field(
        default_factory=dict, description="Of processed: what a model could not read, by reason"
    )
    unproved: int = Field(default=0, description="What a model said and the text does not prove")
    input_tokens: int = Field(default=0, description="As the provider counts, cached ones included")
    cached_tokens: int = 0
    output_tokens: int = 0
    cost_nanos: int = Field(default=0, description="Billionths of a US dollar")


class QuestionView(View):
    """What a run waits to be told: POST /v1/runs/{id}/input answers it."""

    name: str
    answer_schema: Json = Field(description="JSON Schema of the answer")
    about: Any = Field(default=None, description="What one must see to answer it")


class ReasonView(View):
    """Why a run waits or failed, and what can be done about it."""

    code: str
    message: str = ""
    action: str | None = None
    until: datetime | None = None
    question: QuestionView | None = Field(default=None, description="Where `code` is `input`")


class StageView(View):
    """A part of the work. ``total`` may still grow while ``final`` is false."""

    key: str
    title: str
    status: str
    done: int = 0
    total: int | None = None
    final: bool = False


class EtaView(View):
    low_seconds: float
    high_seconds: float


class LatestView(View):
    """An artifact that was just made searchable."""

    id: int
    title: str
    path: str | None = None
    summary: str | None = None


class FailureView(View):
    """Something that could not be read, and what can be done about it."""

    title: str
    stage: str
    failure: str
    detail: str
    action: str


class ReaderView(View):
    """What read the artifacts. ``note`` says so when no model did."""

    producer: str
    model: str | None = None
    note: str | None = None


class RunView(View):
    """A run as its watchers see it after event ``seq``; the same fields as a snapshot's state."""

    id: UUID
    connection_id: UUID | None = None
    workflow: str
    title: str = ""
    status: str
    reason: ReasonView | None = None
    wish: str | None = Field(
        default=None, description="Asked of the process and not done yet: `cancel`, `pause`"
    )
    attempt: int = 0
    created_at: datetime
    started_at: datetime | None = None
    first_queryable_at: datetime | None = None
    finished_at: datetime | None = None
    stages: list[StageView] = Field(default_factory=list)
    counts: CountsView = CountsView()
    rate: float | None = None
    eta: EtaView | None = None
    activity: str | None = None
    searchable: int = 0
    latest: list[LatestView] = Field(default_factory=list)
    failures: list[FailureView] = Field(default_factory=list)
    reader: ReaderView | None = None
    seq: int | None = Field(
        default=None, description="The event this follows; null while Redis is away"
    )


class Started(View):
    """A run that was asked for: watch it at ``events_url``, from ``cursor`` to miss nothing."""

    run: RunView
    events_url: str
    cursor: int = Field(description="Send it as Last-Event-ID to get every event of the run")


class ArtifactView(View):
    """One thing a source holds. ``reason``, ``detail`` and ``action`` say why it is not ready."""

    id: int
    connection_id: UUID
    external_id: str
    kind: str
    title: str
    path: str | None = None
    url: str | None = None
    mime: str | None = None
    size: int | None = None
    status: str
    reason: str | None = None
    detail: str | None = None
    action: str | None = None
    reading: Json | None = None
    updated_at: datetime | None = None


class IndexView(View):
    """What of the connection can be searched now."""

    artifacts: int
    chunks: int


class ReceiptView(View):
    """What a run came to. ``adds_up``: every artifact found has an outcome."""

    run_id: UUID
    connection_id: UUID | None = None
    title: str = ""
    status: str
    reason: ReasonView | None = None
    seconds: float | None = None
    counts: CountsView
    adds_up: bool
    index: IndexView
    failures: list[FailureView] = Field(default_factory=list, description="Some of those open")
    unread: list[FailureView] = Field(
        default_factory=list, description="Some of what the run processed and no model could read"
    )
    reader: ReaderView | None = None


class HitView(View):
    """A place in an artifact that answers the query; lines count from 1, both included."""

    artifact_id: int
    connection_id: UUID
    title: str
    path: str | None = None
    url: str | None = None
    symbol: str = ""
    start_line: int
    end_line: int
    snippet: str
    summary: str | None = None
    score: float


class Hits(View):
    """``note`` says why only words were compared, where nobody could embed the query."""

    items: list[HitView]
    note: str | None = None


class CheckView(View):
    """One thing this server depends on, and what to do if it is not well."""

    name: str
    status: Literal["ok", "degraded", "down"]
    detail: str
    action: str | None = None


class ReadyView(View):
    """Whether requests can be served. Degraded: they can, and something is worse than usual."""

    state: Literal["ready", "degraded", "down"]
    checks: list[CheckView]
