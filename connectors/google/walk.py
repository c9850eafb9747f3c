"""The way of a read through a service that lists, and tells what happened: down, then along.

The position in what happens is pinned before the listing and followed from there after it. Pages of
a listing may be counted from the top, so that one that leaves above moves another past us: then it
is listed again.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import Field

from connectors.artifact import PartitionKey
from connectors.events import Checkpoint, Cursor, Event

PASSES = 3


class Phase(StrEnum):
    LISTING = "listing"
    REPLAY = "replay"  # of what happened since the listing began
    DONE = "done"


class Place(Cursor):
    """``anchor`` is the position that everything before is known of, pinned before the listing.

    ``token`` begins the part of the listing that is being read. ``passes`` counts listings, none
    after the last one; ``lost`` says that something left during one, so that another may have
    slipped past it.
    """

    phase: Phase = Phase.LISTING
    anchor: str = Field(default="", max_length=2_000)
    token: str = Field(default="", max_length=4_000)
    passes: int = 1
    lost: bool = False


P = TypeVar("P", bound=Place)


@dataclass(slots=True)
class Walk(ABC, Generic[P]):
    partition: PartitionKey
    place: P
    quiet: bool = field(default=False, kw_only=True)
    """Whether nothing can have left since the last finished walk that was not told."""

    @abstractmethod
    async def begin(self) -> Sequence[Event]:
        """What is told first. Pins the position, if there is none yet."""

    @abstractmethod
    def down(self) -> AsyncIterator[Sequence[Event]]:
        """What is listed from the place on, up to a checkpoint each; leaves it at the replay."""

    @abstractmethod
    def along(self) -> AsyncIterator[Sequence[Event]]:
        """What happened since the position, up to a checkpoint each."""

    async def steps(self) -> AsyncGenerator[Sequence[Event]]:
        """Events up to a checkpoint each. Raises ``CursorExpired``."""
        first = await self.begin()
        if self.place.phase is Phase.DONE and self.place.lost:
            self.list_again()
        yield self.told(first)
        while True:
            async for events in self.down():
                yield events
            async for events in self.along():
                yield events
            if not self.place.lost or self.place.passes >= PASSES:
                break
            self.list_again()
        # If it is lost even now, the next read lists again: nothing stays away for good.
        self.move(phase=Phase.DONE, passes=0)
        yield [Checkpoint(self.partition, self.place, done=True, quiet=self.quiet)]

    def list_again(self) -> None:
        passes = self.place.passes + 1
        self.move(phase=Phase.LISTING, token="", passes=passes, lost=False)

    def lose(self) -> None:
        """Something left: what was listed before that may be short of another."""
        if self.place.passes:
            self.move(lost=True)

    def move(self, **place: object) -> None:
        self.place = self.place.model_copy(update=place)

    def told(self, events: Sequence[Event]) -> Sequence[Event]:
        return [*events, Checkpoint(self.partition, self.place)]
