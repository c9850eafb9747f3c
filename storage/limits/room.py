"""Where the limiter's state is kept: one room for all the processes that share a pool."""

from collections.abc import Sequence
from typing import Protocol

from storage.limits.values import Answer, Delivery, PoolId, ProcessId, Turn


class Room(Protocol):
    """State is soft: who waits knows so itself, and says it again when the room has forgotten."""

    async def turn(self, pool: PoolId, turn: Turn) -> Answer:
        """Take in what a process says, then grant all that may be granted now, to whomever.

        Saying something twice changes nothing. Raises ``LimitsUnavailable``.
        """
        ...

    async def deliveries(
        self, pool: PoolId, process: ProcessId, *, patience_seconds: float
    ) -> Sequence[Delivery]:
        """What has come for a process, as soon as there is something; empty when patience ends.

        Each is given out once. Raises ``LimitsUnavailable``.
        """
        ...
