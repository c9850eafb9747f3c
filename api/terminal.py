"""Watching a run at a terminal: live bars for a person, lines for a pipe, JSON for a program.

Whatever is for reading goes to stderr, so that stdout holds data only.
"""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import IO, Any, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from api import words
from api.frames import StreamFrame
from api.schemas import RunView, StageView

NARROW = 60
"""Below this many columns there is no room for bars beside the numbers."""
STYLES: Mapping[str, str] = {"running": "cyan", "succeeded": "green", "failed": "red"}
LINE_EVERY_SECONDS = 5.0
REFRESHES_A_SECOND = 8


class Display(Protocol):
    """Shows one run. A context manager, because a live one owns the screen until it leaves."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def say(self, message: str) -> None:
        """A sentence that stays."""
        ...

    def note(self, message: str) -> None:
        """What is going on besides the run; replaces the note before, empty takes it away."""
        ...

    def show(self, frame: StreamFrame, run: RunView) -> None:
        """A frame came in, and the run is now like this."""
        ...


class _Still:
    """A display that owns nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return


class JsonDisplay(_Still):
    """Each frame as it came, one JSON object a line, on ``out``; sentences go to ``err``."""

    def __init__(self, out: IO[str], err: Console) -> None:
        self._out = out
        self._err = err

    def say(self, message: str) -> None:
        self._err.print(Text(message))

    def note(self, message: str) -> None:
        pass

    def show(self, frame: StreamFrame, run: RunView) -> None:  # noqa: ARG002  # the frame is all
        print_json(self._out, frame.model_dump(mode="json", by_alias=True))


class PlainDisplay(_Still):
    """A line when something changes, and one every few seconds while it goes on."""

    def __init__(self, err: Console, *, now: Callable[[], float] = time.monotonic) -> None:
        self._err = err
        self._now = now
        self._told_at = float("-inf")
        self._told: tuple[object, ...] = ()
        self._failed: set[tuple[str, str]] = set()
        self._note = ""

    def say(self, message: str) -> None:
        self._err.print(Text(message), soft_wrap=True)

    def note(self, message: str) -> None:
        if message and message != self._note:
            self.say(message)
        self._note = message

    def show(self, frame: StreamFrame, run: RunView) -> None:  # noqa: ARG002  # the run is all
        for failure in run.failures:
            key = (failure.title, failure.detail)
            if key not in self._failed:
                self._failed.add(key)
                self.say(f"failed: {words.clean(failure.title)}: {words.clean(failure.detail)}")
        changes = (run.status, run.attempt, *((each.key, each.status) for each in run.stages))
        if changes == self._told and self._now() - self._told_at < LINE_EVERY_SECONDS:
            return
        self._told, self._told_at = changes, self._now()
        self.say(_line(run))


class LiveDisplay:
    """Bars that move. ``now`` is the wall clock: the time a run takes is told by the server."""

    def __init__(
        self, err: Console, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._err = err
        self._now = now
        self._run: RunView | None = None
        self._note = ""
        self._live = Live(
            console=err, get_renderable=self.picture, refresh_per_second=REFRESHES_A_SECOND
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._note = ""
        self._live.stop()

    def say(self, message: str) -> None:
        self._err.print(Text(message))

    def note(self, message: str) -> None:
        self._note = message

    def show(self, frame: StreamFrame, run: RunView) -> None:  # noqa: ARG002  # the run is all
        self._run = run

    def picture(self) -> RenderableType:
        """What is on the screen now."""
        note = _fitting(self._note, "dim")
        if self._run is None:
            return note
        return Group(*_picture(self._run, self._now(), self._err.width), note)


def print_json(out: IO[str], value: Mapping[str, Any]) -> None:
    print(json.dumps(value, separators=(",", ":")), file=out, flush=True)


def _picture(run: RunView, now: datetime, width: int) -> list[RenderableType]:
    counts = (words.outcomes(run.counts), words.pace(run))
    return [
        _title(run, now),
        _stages(run.stages, bars=width >= NARROW),
        *(_fitting(f"  {line}") for line in counts if line and run.stages),
        _fitting(f"  {words.headline(run)}", STYLES.get(run.status, "yellow")),
    ]


def _title(run: RunView, now: datetime) -> Text:
    began = run.started_at or run.created_at
    took = words.clock((run.finished_at or now) - began)
    title = Text(words.clean(run.title) or str(run.id), style="bold", no_wrap=True)
    title.append(f"  {run.status.replace('_', ' ')}  {took}", style="not bold dim")
    title.overflow = "ellipsis"
    return title


def _stages(stages: list[StageView], *, bars: bool) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, min_width=10)
    if bars:
        table.add_column(ratio=1, max_width=40)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for stage in stages:
        style = {"pending": "dim", "done": "green"}.get(stage.status, "")
        cells: list[RenderableType] = [Text(f"  {words.clean(stage.title)}", style=style)]
        if bars:
            cells.append(_bar(stage))
        table.add_row(*cells, Text(words.stage_count(stage), style=style))
    return table


def _bar(stage: StageView) -> RenderableType:
    if stage.status == "pending":
        return ""
    if stage.total is None:
        return ProgressBar(total=None, pulse=stage.status == "active", width=30)
    return ProgressBar(total=max(1, stage.total), completed=stage.done, width=30)


def _fitting(text: str, style: str = "") -> Text:
    """On one line, whatever the width: a line that wraps would make the picture jump."""
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _line(run: RunView) -> str:
    active = [each for each in run.stages if each.status == "active"]
    stages = [f"{words.clean(each.title)} {words.stage_count(each)}" for each in active]
    parts = (
        run.status.replace("_", " "),
        ", ".join(stages),
        words.outcomes(run.counts) if run.counts.found else "",
        words.pace(run),
        words.headline(run) if not active or run.status != "running" else "",
    )
    return " · ".join(part for part in parts if part)
