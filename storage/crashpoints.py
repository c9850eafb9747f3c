"""Places where a process can be told to die, so that a test can kill it exactly there.

``HEADWATER_CRASH_AT=batch.committed:2`` kills a worker, as kill -9 does, when it gets there for the
second time; ``batch.committed:2:stop`` freezes it, as SIGSTOP does. Nobody sets it but
``tests/chaos``, and a place that is not armed costs a comparison.
"""

import os
import signal

VARIABLE = "HEADWATER_CRASH_AT"
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class Trap:
    """The one place that is armed, how often it may be passed, and what happens then."""

    __slots__ = ("left", "name", "signal")

    def __init__(self, given: str) -> None:
        name, _, rest = given.partition(":")
        times, _, how = rest.partition(":")
        self.name = name
        self.left = int(times or 1)
        self.signal = SIGNALS[how or "kill"]


# Module state on purpose: a seam that everybody had to be handed would be no small one.
_trap = Trap("")


def arm(given: str) -> None:
    """Once, where the process begins."""
    global _trap  # noqa: PLW0603  # see above
    _trap = Trap(given)


def reached(name: str) -> None:
    if name != _trap.name:
        return
    _trap.left -= 1
    if _trap.left == 0:
        os.kill(os.getpid(), _trap.signal)
