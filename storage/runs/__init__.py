"""The runs: what was asked for, who is at it, how far it has come, and what is wished of it.

An attempt's number is the fencing token: every write names it, and a stale one is refused with the
rest of its transaction. A run is held by the worker that claimed it for as long as its lease is
renewed; whoever claims it after that gets the next number.
"""

from storage.runs.asking import ask, find, first_success, get, page, request
from storage.runs.fence import lock, record, save
from storage.runs.leases import (
    Beat,
    adopt,
    beat,
    claim,
    held,
    hold,
    inherit,
    release,
    take_in_hand,
    taken,
)
from storage.runs.pulses import Pulse, pulses, restart, revoke, stall
from storage.runs.routing import misplaced, of_others
from storage.runs.values import BY_HINT, BY_SCHEDULE, Held, Run, Wish
from storage.runs.waits import park, wake
from storage.runs.wishes import (
    CANCELLED,
    PAUSED,
    QUIET,
    cancel,
    honour,
    pause,
    resume,
    retry,
    wished,
)
from storage.runs.yielding import yielding

__all__ = [
    "BY_HINT",
    "BY_SCHEDULE",
    "CANCELLED",
    "PAUSED",
    "QUIET",
    "Beat",
    "Held",
    "Pulse",
    "Run",
    "Wish",
    "adopt",
    "ask",
    "beat",
    "cancel",
    "claim",
    "find",
    "first_success",
    "get",
    "held",
    "hold",
    "honour",
    "inherit",
    "lock",
    "misplaced",
    "of_others",
    "page",
    "park",
    "pause",
    "pulses",
    "record",
    "release",
    "request",
    "restart",
    "resume",
    "retry",
    "revoke",
    "save",
    "stall",
    "take_in_hand",
    "taken",
    "wake",
    "wished",
    "yielding",
]
