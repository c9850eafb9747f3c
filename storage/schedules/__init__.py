"""When connections are ingested by themselves, and what became of each time they were due.

SQL is the truth and any number of schedulers may look at once (``docs/adr/0012``): a tick is a row
that can be there once, written in the transaction that starts its run.
"""

from storage.schedules.cadence import Cadence
from storage.schedules.firing import due, fire
from storage.schedules.keeping import (
    get,
    hold,
    latest,
    let_go,
    of_connections,
    page,
    pause,
    put,
    remove,
    resume,
    told,
)
from storage.schedules.values import Hold, Outcome, Schedule, Tick

__all__ = [
    "Cadence",
    "Hold",
    "Outcome",
    "Schedule",
    "Tick",
    "due",
    "fire",
    "get",
    "hold",
    "latest",
    "let_go",
    "of_connections",
    "page",
    "pause",
    "put",
    "remove",
    "resume",
    "told",
]
