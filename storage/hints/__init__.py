"""That something changed at a source, as its provider told: taken in, and led to a run each.

Hints are never data and never the truth, which the schedules' looks are: one that is lost loses
nothing. However many come, a connection has one row of them, and one run after they came.
"""

from storage.hints.leading import APART, SETTLE, Pending, due, lead
from storage.hints.taking import forget, take
from storage.hints.values import Heard, Hinted, Subject, get, remove

__all__ = [
    "APART",
    "SETTLE",
    "Heard",
    "Hinted",
    "Pending",
    "Subject",
    "due",
    "forget",
    "get",
    "lead",
    "remove",
    "take",
]
