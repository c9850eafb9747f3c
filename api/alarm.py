"""An alarm that is moved far more often than it rings."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Alarm:
    """Calls ``ring`` once its time has come, by the loop's clock.

    The loop's own timer is left where it is when the alarm moves, and looks again when it goes off:
    setting a timer costs as much as sending to a listener. Whoever has one must ``close`` it.
    """

    ring: Callable[[], object] | None
    _at: float | None = None
    _timer: asyncio.TimerHandle | None = None

    def set(self, at: float) -> None:
        self._at = at
        if self._timer is not None and at < self._timer.when():
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(at, self._look)

    def clear(self) -> None:
        self._at = None

    def close(self) -> None:
        """Never ring, and hold nobody."""
        self._at = self.ring = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._at is None or self.ring is None:
            return
        if asyncio.get_running_loop().time() < self._at:
            self.set(self._at)
            return
        self._at = None
        self.ring()
