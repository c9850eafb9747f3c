"""When a run is given up: its attempts come to no end, or end their processes."""

from datetime import datetime

from storage import runs
from storage.events import Event, EventKind
from storage.runs import Run

MOST_TRIES = 50
MOST_DEATHS = 10  # in a row, at no artifact that could be left out


def reached(run: Run) -> bool:
    """Whether the attempt that was just claimed is one too many."""
    return run.tries > MOST_TRIES or (run.deaths >= MOST_DEATHS and not run.in_hand)


def told(run: Run, *, at: datetime) -> Event:
    """How such a run ends."""
    message = f"{run.tries - 1} attempts did not come to an end."
    if run.tries <= MOST_TRIES:
        message = f"{run.deaths} processes in a row ended in the middle of it."
    reason = {
        "code": "attempts_exhausted",
        "message": message,
        "action": "Look at the worker's log for what ended them, then start again.",
        "until": None,
    }
    return Event(
        kind=EventKind.FAILED,
        at=at,
        attempt=run.attempt,
        # As far as it came: only ticks have told it, and they may be lost.
        patch={**run.newest({}), "reason": reason, "activity": message, **runs.QUIET},
    )
