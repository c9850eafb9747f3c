"""What happened in a run, in order, readable from any point; and the state it adds up to.

An event carries its own effect: ``patch`` replaces top-level fields of the run's state. Folding
is therefore one line in Python, in Lua and in the browser, and ``fold(events) == snapshot``
wherever it is done. A patch holds absolute values, so that folding twice changes nothing.

A *milestone* is also a row in SQL and carries its number there; a *tick* (progress) lives in the
stream only.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from storage.ids import Attempt, RunId, Seq


class EventKind(StrEnum):
    QUEUED = "run.queued"
    STARTED = "run.started"
    PROGRESS = "run.progress"  # the only tick; all others are milestones
    WAITING = "run.waiting"
    RESUMED = "run.resumed"
    PAUSED = "run.paused"
    REQUEUED = "run.requeued"
    WISHED = "run.wished"  # somebody asks its holder to stop; it has not come to it yet
    STAGE_STARTED = "stage.started"
    STAGE_FINISHED = "stage.finished"
    QUERYABLE = "run.queryable"  # the first artifact can be searched
    ITEM_FAILED = "item.failed"
    DELETION_HELD = "deletion.held"  # a listing lacks so much that somebody has to say it is gone
    ATTEMPT_LOST = "attempt.lost"
    ATTEMPT_HANDED_OVER = "attempt.handed_over"
    STALLED = "attempt.stalled"
    SUCCEEDED = "run.succeeded"
    SUCCEEDED_WITH_FAILURES = "run.succeeded_with_failures"
    FAILED = "run.failed"
    CANCELLED = "run.cancelled"
    # Of a run's output stream, which ends with one of the four above: see ``storage.outputs``.
    OUTPUT_BEGAN = "output.began"
    OUTPUT_DELTA = "output.delta"
    OUTPUT_ITEM = "output.item"
    SUPERSEDED = "attempt.superseded"  # what the attempt before has said is taken back


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"  # alive by definition: the run's reason says for what, and until when
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    SUCCEEDED_WITH_FAILURES = "succeeded_with_failures"
    FAILED = "failed"
    CANCELLED = "cancelled"


class WaitingReason(StrEnum):
    """What a run waits for. Some end by themselves, or are looked at again."""

    RATE_LIMITED = "rate_limited"  # the source or the model asked us to come later
    PROVIDER_DOWN = "provider_down"
    CAPACITY = "capacity"  # others are being served
    REAUTHORIZATION = "reauthorization"  # the user has to connect the account again
    BUDGET = "budget"  # what may be spent is spent
    DISK = "disk"  # there is no room
    DATABASE = "database"  # it does not answer; told by ticks only, for SQL cannot be told it
    INPUT = "input"  # somebody has to answer first


STATUS_AFTER: Mapping[EventKind, RunStatus] = {
    EventKind.QUEUED: RunStatus.QUEUED,
    EventKind.STARTED: RunStatus.RUNNING,
    EventKind.RESUMED: RunStatus.RUNNING,
    EventKind.WAITING: RunStatus.WAITING,
    EventKind.PAUSED: RunStatus.PAUSED,
    EventKind.REQUEUED: RunStatus.QUEUED,
    EventKind.ATTEMPT_LOST: RunStatus.QUEUED,
    EventKind.ATTEMPT_HANDED_OVER: RunStatus.QUEUED,
    EventKind.SUCCEEDED: RunStatus.SUCCEEDED,
    EventKind.SUCCEEDED_WITH_FAILURES: RunStatus.SUCCEEDED_WITH_FAILURES,
    EventKind.FAILED: RunStatus.FAILED,
    EventKind.CANCELLED: RunStatus.CANCELLED,
}
"""What an event makes of the run; kinds that are not here leave it as it is."""

TERMINAL = frozenset(
    {
        EventKind.SUCCEEDED,
        EventKind.SUCCEEDED_WITH_FAILURES,
        EventKind.FAILED,
        EventKind.CANCELLED,
    }
)

State = Mapping[str, Any]
"""A run as its watchers see it: JSON values by field name. ``docs/events.md`` lists the fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened: ``data`` is for readers of it, ``patch`` for the state."""

    kind: EventKind
    at: datetime
    attempt: Attempt
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    patch: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event in the stream. ``milestone`` is its number in SQL, None for a tick."""

    seq: Seq
    event: Event
    milestone: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The run's state after event ``as_of``. ``ended``: no event will follow."""

    as_of: Seq
    state: State
    ended: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that are not kept any more, both ends included. A snapshot follows."""

    first: Seq
    last: Seq


Frame = Snapshot | Gap | Recorded


@dataclass(frozen=True, slots=True)
class Slice:
    """What a stream holds after a cursor, oldest first.

    ``complete`` is False when the cursor is not a place in this stream (older than what is kept,
    from a stream that was lost, or from the future): the reader needs a gap and a snapshot.
    ``ended``: no event will follow these.
    """

    events: tuple[Recorded, ...]
    complete: bool
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Position:
    """How far a stream has come: its last seq, and how many of SQL's milestones it has.

    ``weight``: of two pictures of one run, the heavier one is the later one.
    """

    seq: Seq
    milestones: int
    ended: bool
    weight: int = 0


def fold(state: State, events: Iterable[Event]) -> State:
    """The state after these events."""
    folded = dict(state)
    for event in events:
        folded.update(event.patch)
    return folded


def weigh(patch: State) -> int | None:
    """The sum of all that can only rise, None where the patch tells nothing of it.

    Of two pictures of a run the heavier one is the later one; so a tick that was held up on its way
    is known by it, and does not take its readers back.
    """
    if "counts" not in patch:
        return None
    counts = sum(
        sum(value.values()) if isinstance(value, Mapping) else value
        for value in patch["counts"].values()
    )
    return int(counts + sum(stage.get("done", 0) for stage in patch.get("stages", ())))


class EventLog(Protocol):
    """The stream of a run and its folded state. Redis and memory keep the same promises.

    All methods raise ``StreamUnavailable`` when the server cannot be reached.
    """

    async def append(self, run: RunId, event: Event, *, milestone: int | None = None) -> Seq:
        """Add the event at the end, and fold it into the state, in one step.

        A milestone has been fenced by SQL, which gave it its number; here the numbers must follow
        one another: a known one is dropped and answered with the stream's last seq, a later one
        raises ``MilestoneAhead``. Its attempt becomes the stream's if it is higher.

        A tick that tells of fewer counts than an event before it did was held up on its way: it is
        dropped, and answered with the stream's last seq.

        A tick of an earlier attempt than the stream's raises ``AttemptFenced``, one of a later
        attempt ``MilestoneAhead``, for that attempt's first milestone is missing.

        Raises ``RunEnded`` after the terminal event, and ``StreamLost`` if the run has no stream
        although this is not its first milestone: it must be seeded first.
        """
        ...

    async def seed(
        self, run: RunId, state: State, *, seq: Seq, milestones: int, attempt: Attempt, ended: bool
    ) -> None:
        """Begin a lost stream again after ``seq``, as if the milestones had been appended.

        ``seq`` must be higher than any given before the loss. Does nothing where a stream has come
        so far; one that has not lost its tail (a fail-over, an old backup), and is replaced.
        """
        ...

    async def snapshot(self, run: RunId) -> Snapshot | None:
        """The folded state, or None if the run has no stream."""
        ...

    async def since(self, run: RunId, cursor: Seq, *, limit: int = 500) -> Slice:
        """At most ``limit`` events after ``cursor``; incomplete where there is no stream."""
        ...

    async def tail(
        self, cursors: Mapping[RunId, Seq], *, patience_seconds: float
    ) -> Mapping[RunId, Sequence[Recorded]]:
        """Wait for events after these cursors, in any of the runs; empty when patience ends.

        It knows nothing of gaps: events that do not follow the cursor, or a silence, may be one.
        Ask ``since`` then.
        """
        ...

    async def position(self, run: RunId) -> Position | None:
        """How far the stream has come, or None if the run has no stream."""
        ...

    async def forget(self, runs: Collection[RunId]) -> None:
        """Delete the streams of these runs."""
        ...

    async def scrub(self) -> None:
        """Take out of the server's files what was forgotten. Returns when that is done."""
        ...

    async def probe(self) -> None:
        """Return if the server can be read and written: one that only answers helps nobody."""
        ...
