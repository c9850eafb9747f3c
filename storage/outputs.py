"""What a run says to whoever waits for its result: text and items as they come, then the result.

It is a stream of its own beside the run's events, with the same promises (numbered, resumable,
gaps told), kept by an event log of its own. What is said is only as good as the attempt that says
it: one that takes over takes back what the one before said. The result itself is in the run's row.

In the log, every piece is a field of the state under a name of its own, so that folding stays what
it is everywhere; readers see the pieces put together: ``docs/events.md`` lists the fields.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from storage.events import Event, EventKind, EventLog, Position, Recorded, Slice, Snapshot, State
from storage.ids import Attempt, RunId, Seq

NOTHING_YET: State = {"attempt": 0, "status": "queued", "text": "", "items": [], "output": None}
"""What a reader sees of a run that has said nothing."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Something said: a stretch of text, or an item as JSON. ``number`` counts from 0."""

    number: int
    kind: EventKind
    value: Any


def began(attempt: Attempt, *, at: datetime, again: bool) -> Event:
    """An attempt begins to speak; ``again`` takes back what an earlier one has said."""
    kind = EventKind.SUPERSEDED if again else EventKind.OUTPUT_BEGAN
    return Event(kind=kind, at=at, attempt=attempt, patch=_beginning(attempt))


def said(attempt: Attempt, piece: Piece, *, at: datetime) -> Event:
    return Event(kind=piece.kind, at=at, attempt=attempt, patch=_field(attempt, piece))


def ended(kind: EventKind, attempt: Attempt, *, at: datetime, patch: Mapping[str, Any]) -> Event:
    """The run is over: ``kind`` and ``patch`` (status, output) are those of its last milestone."""
    return Event(kind=kind, at=at, attempt=attempt, patch=patch)


def stored(attempt: Attempt, pieces: Iterable[Piece]) -> State:
    """The state as the log keeps it, to begin a lost stream again with."""
    state = dict(_beginning(attempt))
    for piece in pieces:
        state.update(_field(attempt, piece))
    return state


def shown(state: State) -> State:
    """The state as readers see it: the pieces of the attempt that counts, put together."""
    attempt = state.get("attempt", 0)
    mine = sorted(name for name in state if name.startswith(_prefix(attempt)))
    pieces = [state[name] for name in mine]
    return {
        **NOTHING_YET,
        **{name: state[name] for name in NOTHING_YET if name in state},
        "text": state.get("text") or "".join(each for each in pieces if isinstance(each, str)),
        "items": state.get("items") or [each["item"] for each in pieces if isinstance(each, dict)],
    }


def fold(state: State, events: Iterable[Event]) -> State:
    """What a reader's state is after these events, as readers see both."""
    folded = {**NOTHING_YET, **state}
    for event in events:
        match event.kind:
            case EventKind.OUTPUT_DELTA:
                folded["text"] += event.data["text"]
            case EventKind.OUTPUT_ITEM:
                folded["items"] = [*folded["items"], event.data["item"]]
            case _:
                folded.update(event.patch)
    return folded


@dataclass(frozen=True, slots=True)
class OutputLog:
    """An event log that tells its readers pieces of output instead of fields of a state."""

    inner: EventLog

    async def append(self, run: RunId, event: Event, *, milestone: int | None = None) -> Seq:
        return await self.inner.append(run, event, milestone=milestone)

    async def seed(
        self, run: RunId, state: State, *, seq: Seq, milestones: int, attempt: Attempt, ended: bool
    ) -> None:
        await self.inner.seed(
            run, state, seq=seq, milestones=milestones, attempt=attempt, ended=ended
        )

    async def snapshot(self, run: RunId) -> Snapshot | None:
        kept = await self.inner.snapshot(run)
        return kept and replace(kept, state=shown(kept.state))

    async def since(self, run: RunId, cursor: Seq, *, limit: int = 500) -> Slice:
        kept = await self.inner.since(run, cursor, limit=limit)
        return replace(kept, events=tuple(map(_told, kept.events)))

    async def tail(
        self, cursors: Mapping[RunId, Seq], *, patience_seconds: float
    ) -> Mapping[RunId, Sequence[Recorded]]:
        news = await self.inner.tail(cursors, patience_seconds=patience_seconds)
        return {run: [_told(each) for each in recorded] for run, recorded in news.items()}

    async def forget(self, runs: Collection[RunId]) -> None:
        await self.inner.forget(runs)

    async def scrub(self) -> None:
        await self.inner.scrub()

    async def position(self, run: RunId) -> Position | None:
        return await self.inner.position(run)

    async def probe(self) -> None:
        await self.inner.probe()


def _beginning(attempt: Attempt) -> State:
    return {**NOTHING_YET, "attempt": attempt, "status": "running"}


def _field(attempt: Attempt, piece: Piece) -> Mapping[str, Any]:
    value = {"item": piece.value} if piece.kind is EventKind.OUTPUT_ITEM else piece.value
    return {f"{_prefix(attempt)}{piece.number:08d}": value}


def _prefix(attempt: int) -> str:
    return f"piece.{attempt}."


def _told(recorded: Recorded) -> Recorded:
    """The piece as data, for readers append it to what they have."""
    event = recorded.event
    match event.kind:
        case EventKind.OUTPUT_DELTA:
            (text,) = event.patch.values()
            return replace(recorded, event=replace(event, data={"text": text}, patch={}))
        case EventKind.OUTPUT_ITEM:
            (value,) = event.patch.values()
            return replace(recorded, event=replace(event, data=value, patch={}))
        case _:
            return recorded
