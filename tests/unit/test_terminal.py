"""A run on a screen, in a pipe and as JSON."""

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from api.frames import EventFrame, SnapshotFrame, StreamFrame, after
from api.schemas import RunView
from api.terminal import JsonDisplay, LiveDisplay, PlainDisplay

BEGAN = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
RUN: Mapping[str, Any] = {
    "id": "0198c2de-7c55-7d6e-b6a5-3f0c54c6d0a1",
    "workflow": "ingest",
    "title": "main",
    "status": "running",
    "attempt": 1,
    "created_at": BEGAN.isoformat(),
    "started_at": BEGAN.isoformat(),
    "stages": [
        {"key": "find", "title": "Finding", "status": "active", "done": 412, "total": 1050},
        {"key": "read", "title": "Reading", "status": "active", "done": 100, "total": 412},
        {"key": "tidy", "title": "Tidying", "status": "pending", "done": 0, "total": None},
    ],
    "counts": {"found": 412, "processed": 95, "skipped": {"binary": 4}, "failed": {"timeout": 1}},
    "rate": 145.2,
    "eta": {"low_seconds": 180, "high_seconds": 300},
    "activity": "Reading storage/events.py",
    "searchable": 95,
}


def snapshot(**changes: Any) -> SnapshotFrame:
    return SnapshotFrame(seq=7, state={**RUN, **changes}, ended=False)


def progress(seq: int, **patch: Any) -> EventFrame:
    return EventFrame(seq=seq, kind="run.progress", at=BEGAN, attempt=1, data={}, patch=patch)


def watched(frame: StreamFrame) -> RunView:
    return RunView.model_validate(after(dict(RUN), frame))


def console(width: int = 100, *, terminal: bool = False) -> Console:
    return Console(
        file=io.StringIO(), width=width, force_terminal=terminal, no_color=True, highlight=False
    )


def written(it: Console) -> str:
    assert isinstance(it.file, io.StringIO)
    return it.file.getvalue()


def drawn(frame: StreamFrame, *, width: int = 100, note: str = "") -> str:
    err = console(width)
    display = LiveDisplay(err, now=lambda: BEGAN + timedelta(seconds=75))
    display.note(note)
    display.show(frame, watched(frame))
    err.print(display.picture())
    return written(err)


def test_the_picture_answers_what_is_done_how_long_it_takes_and_what_happens_now() -> None:
    picture = drawn(snapshot())

    assert "main  running  1:15" in picture
    assert "412 of at least 1,050" in picture
    assert "95 processed · 4 skipped (4 binary) · 1 failed (1 timeout)" in picture
    assert "145/s · about 3-5 min left · 95 searchable" in picture
    assert "Reading storage/events.py" in picture


def test_a_total_is_called_exact_only_when_it_is_final() -> None:
    stage = {"key": "read", "title": "Reading", "status": "active", "done": 1, "total": 2}

    assert "1 of at least 2" in drawn(snapshot(stages=[{**stage, "final": False}]))
    assert "1 of 2" in drawn(snapshot(stages=[{**stage, "final": True}]))


@pytest.mark.parametrize("width", [20, 40, 59, 60, 80, 200])
def test_no_line_of_the_picture_is_wider_than_the_terminal(width: int) -> None:
    picture = drawn(snapshot(activity="Reading " + "x" * 300, title="t" * 300), width=width)

    assert max(map(len, picture.splitlines())) <= width
    assert len(picture.splitlines()) <= 9


def test_a_waiting_run_says_for_what_and_what_to_do() -> None:
    reason = {"code": "disk", "message": "The disk is full.", "action": "Free some space."}

    picture = drawn(snapshot(status="waiting", reason=reason))

    assert "The disk is full. Free some space." in picture


def test_a_queued_run_says_that_it_waits_for_a_worker_and_why() -> None:
    picture = drawn(
        snapshot(status="queued", stages=[], activity=None, started_at=None),
        note="Prefect is starting.",
    )

    assert "Waiting for a worker." in picture
    assert "Prefect is starting." in picture


def test_a_file_name_cannot_command_the_terminal() -> None:
    picture = drawn(snapshot(activity="Reading \x1b[2J\x1b]0;owned\x07 a\nb"))

    assert "\x1b" not in picture
    assert "\x07" not in picture
    assert r"\x1b[2J" in picture


def test_file_names_are_no_markup() -> None:
    assert "[red]a[/red]" in drawn(snapshot(activity="Reading [red]a[/red]"))


def test_a_live_display_leaves_the_last_picture_on_the_screen() -> None:
    err = console(terminal=True)
    frame = snapshot(activity="Tidying up the very last thing")

    with LiveDisplay(err) as display:
        display.show(frame, watched(frame))

    assert "Tidying up the very last thing" in written(err)


class Watch:
    """A clock that is set."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_pipe_gets_a_line_every_few_seconds_and_not_more() -> None:
    err, watch = console(), Watch()
    display = PlainDisplay(err, now=watch)

    for second in range(11):
        watch.seconds = float(second)
        frame = progress(8 + second, searchable=second)
        display.show(frame, watched(frame))

    assert len(written(err).splitlines()) == 3


def test_a_pipe_gets_a_line_at_once_when_something_changes() -> None:
    err = console()
    display = PlainDisplay(err, now=Watch())

    for status in ("queued", "queued", "running", "succeeded"):
        frame = snapshot(status=status, stages=[])
        display.show(frame, watched(frame))

    lines = written(err).splitlines()
    assert [line.split(" · ")[0] for line in lines] == ["queued", "running", "succeeded"]


def test_a_pipe_gets_every_failure_once() -> None:
    err = console()
    display = PlainDisplay(err, now=Watch())
    failure = {"title": "a.py", "stage": "read", "failure": "timeout", "detail": "too slow"}
    frame = snapshot(failures=[{**failure, "action": "Try again."}])

    display.show(frame, watched(frame))
    display.show(frame, watched(frame))

    assert written(err).count("failed: a.py: too slow") == 1


def test_a_program_gets_each_frame_as_it_came_and_nothing_else() -> None:
    out, err = io.StringIO(), console()
    display = JsonDisplay(out, err)
    frames: list[StreamFrame] = [snapshot(), progress(8, activity="caf\xe9 \u2028 \udc80")]

    display.note("Starting.")
    display.say("The worker stopped.")
    for frame in frames:
        display.show(frame, watched(frame))

    lines = [json.loads(line) for line in out.getvalue().split("\n") if line]
    assert [line["type"] for line in lines] == ["snapshot", "event"]
    assert lines[1]["patch"] == {"activity": "caf\xe9 \u2028 \udc80"}
    assert written(err) == "The worker stopped.\n"
