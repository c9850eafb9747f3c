"""Tells those who follow a run's output what it says, in the background, so that no work waits.

Small pieces are put together for a moment, since a model says a word at a time. All that was said
is kept here until the run is over: if Redis loses it, it is told again.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from pipelines.context import Clock
from storage.errors import AttemptFenced, MilestoneAhead, RunEnded, StreamLost, StreamUnavailable
from storage.events import Event, EventKind, EventLog
from storage.ids import Attempt, RunId, Seq
from storage.outputs import Piece, began, ended, said, stored
from storage.relay import LEAP

TOGETHER_SECONDS = 0.05
TOGETHER_CHARACTERS = 400
MOST_CHARACTERS = 1_000_000
PATIENCE_SECONDS = 1.0  # between two tries to reach a Redis that is away

log = structlog.get_logger()


class OutputTooLong(ValueError):
    def __init__(self) -> None:
        super().__init__(f"more than {MOST_CHARACTERS:,} characters were said")


@dataclass(slots=True, kw_only=True)
class Speaker:
    run: RunId
    attempt: Attempt
    log: EventLog
    clock: Clock
    pieces: list[Piece] = field(init=False, default_factory=list[Piece])
    _text: str = field(init=False, default="")
    _length: int = field(init=False, default=0)
    _told: int = field(init=False, default=0)
    _seq: Seq = field(init=False, default=Seq(0))
    _begun: int | None = field(init=False, default=None)
    """The number of the beginning in the stream: this attempt's pieces follow it."""

    _news: asyncio.Event = field(init=False, default_factory=asyncio.Event)

    @property
    def text(self) -> str:
        said_ = (each.value for each in self.pieces if each.kind is EventKind.OUTPUT_DELTA)
        return "".join(said_) + self._text

    @property
    def items(self) -> list[Any]:
        return [each.value for each in self.pieces if each.kind is EventKind.OUTPUT_ITEM]

    def say(self, text: str) -> None:
        """Raises ``OutputTooLong``."""
        self._length += len(text)
        if self._length > MOST_CHARACTERS:
            raise OutputTooLong
        self._text += text
        if len(self._text) >= TOGETHER_CHARACTERS:
            self._cut()
        self._news.set()

    def show(self, item: Any) -> None:
        """Tell something that is no text, as JSON."""
        self._cut()
        self.pieces.append(Piece(len(self.pieces), EventKind.OUTPUT_ITEM, item))
        self._news.set()

    async def speak(self) -> None:
        """Tell whatever comes, until cancelled or until the run is another's."""
        self._news.set()  # the beginning itself
        while True:
            await self._news.wait()
            await asyncio.sleep(TOGETHER_SECONDS)
            self._news.clear()
            self._cut()
            try:
                await self._tell()
            except StreamUnavailable:
                self._news.set()
                await asyncio.sleep(PATIENCE_SECONDS)
            except (AttemptFenced, RunEnded) as refusal:
                log.info("speaker.silenced", reason=str(refusal))
                return

    async def finish(self, kind: EventKind, patch: Mapping[str, Any]) -> bool:
        """Tell what is left, and that it is all. False if Redis is away: readers turn to SQL."""
        self._cut()
        last = ended(kind, self.attempt, at=self.clock.now(), patch=patch)
        try:
            await self._tell()
            await self.log.append(self.run, last, milestone=(self._begun or 0) + 1)
        except (StreamUnavailable, StreamLost, MilestoneAhead, AttemptFenced, RunEnded):
            return False
        return True

    async def _tell(self) -> None:
        try:
            await self._tell_rest()
        except (StreamLost, MilestoneAhead):
            await self._tell_again()

    async def _tell_rest(self) -> None:
        if self._begun is None:
            self._begun = await self._begin()
        for piece in self.pieces[self._told :]:
            event = said(self.attempt, piece, at=self.clock.now())
            self._seq = await self.log.append(self.run, event)
            self._told = piece.number + 1

    async def _begin(self) -> int:
        position = await self.log.position(self.run)
        number = position.milestones + 1 if position else 1
        before = await self.log.snapshot(self.run) if position else None
        if before is not None and before.state.get("attempt", 0) > self.attempt:
            raise AttemptFenced(f"A later attempt than {self.attempt} speaks for {self.run}.")
        event: Event = began(self.attempt, at=self.clock.now(), again=number > 1)
        self._seq = await self.log.append(self.run, event, milestone=number)
        return number

    async def _tell_again(self) -> None:
        """Begin the lost stream again with all that was said so far."""
        number, self._told = self._begun or 1, len(self.pieces)
        self._seq = Seq((self._seq // LEAP + 1) * LEAP)
        await self.log.seed(
            self.run,
            stored(self.attempt, self.pieces),
            seq=self._seq,
            milestones=number,
            attempt=self.attempt,
            ended=False,
        )
        self._begun = number
        log.warning("output.begun_again", run=str(self.run), seq=self._seq)

    def _cut(self) -> None:
        if self._text:
            self.pieces.append(Piece(len(self.pieces), EventKind.OUTPUT_DELTA, self._text))
            self._text = ""
