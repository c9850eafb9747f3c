"""The frames of a run's events as a reader gets them; ``docs/events.md`` is the contract."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Frame(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class SnapshotFrame(Frame):
    """The run's whole state. ``seq`` is null while Redis is away: there is no place to resume."""

    type: Literal["snapshot"] = "snapshot"
    seq: int | None
    state: dict[str, Any]
    ended: bool


class EventFrame(Frame):
    """Something happened: replace the state's fields that are in ``patch``."""

    type: Literal["event"] = "event"
    seq: int
    kind: str
    at: datetime
    attempt: int
    data: dict[str, Any]
    patch: dict[str, Any]


class GapFrame(Frame):
    """These events are not kept any more, both ends included; a snapshot follows."""

    type: Literal["gap"] = "gap"
    first: int = Field(alias="from")
    last: int = Field(alias="to")


class GoodbyeFrame(Frame):
    """The server closes this stream; reconnect."""

    type: Literal["goodbye"] = "goodbye"
    reason: str


StreamFrame = Annotated[
    SnapshotFrame | EventFrame | GapFrame | GoodbyeFrame, Field(discriminator="type")
]
KNOWN = frozenset({"snapshot", "event", "gap", "goodbye"})
"""Frame types of today. Readers pass over the others, such as the ``ping`` of a quiet stream."""

FRAME: TypeAdapter[StreamFrame] = TypeAdapter(StreamFrame)


class FramesPage(Frame):
    """One JSON document of the stream: what follows the cursor now, without waiting."""

    frames: list[StreamFrame]
    cursor: int | None = Field(description="Send it as `cursor` next time")
    ended: bool = Field(description="No more events will follow")


def after(state: dict[str, Any], frame: StreamFrame) -> dict[str, Any]:
    """The run's state after this frame."""
    match frame:
        case SnapshotFrame():
            return frame.state
        case EventFrame():
            return {**state, **frame.patch}
        case _:
            return state
