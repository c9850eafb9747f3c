"""Following a run across lost connections: where to go on, when to wait, when to stop. No I/O."""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from api.client.calls import problem
from api.frames import FRAME, KNOWN, EventFrame, GoodbyeFrame, SnapshotFrame, StreamFrame

FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 5.0
NO_MORE = 204
NDJSON = "application/x-ndjson"
TERMINAL = frozenset(
    {"run.succeeded", "run.succeeded_with_failures", "run.failed", "run.cancelled"}
)


@dataclass(slots=True)
class Following:
    """One reader's place in a run. ``ended``: nothing will follow."""

    run_id: UUID | str
    cursor: int | None
    ended: bool = False
    failures: int = 0

    @property
    def path(self) -> str:
        return f"/v1/runs/{self.run_id}/events"

    @property
    def headers(self) -> Mapping[str, str]:
        place = {} if self.cursor is None else {"Last-Event-ID": str(self.cursor)}
        return {"Accept": NDJSON, **place}

    def take(self, line: str) -> StreamFrame | None:
        """What a line of the stream says, if it is for the reader of the run."""
        if not line.strip():
            return None
        value = json.loads(line)
        self.failures = 0
        if value.get("type") not in KNOWN:
            return None
        frame = FRAME.validate_python(value)
        if isinstance(frame, GoodbyeFrame):
            return None
        self._move(frame)
        return frame

    def refused(self, status: int, body: bytes) -> None:
        """The server sent no stream: the run is over and told, or something is wrong."""
        if status != NO_MORE:
            raise problem(status, body)
        self.ended = True

    def wait_seconds(self) -> float:
        """How long to wait before the next try, longer each time one fails, never in step."""
        longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * (1 << min(self.failures, 10)))
        self.failures += 1
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  # spreads load, hides nothing

    def _move(self, frame: StreamFrame) -> None:
        match frame:
            case SnapshotFrame():
                self.cursor = frame.seq
                self.ended = frame.ended
            case EventFrame():
                self.cursor = frame.seq
                self.ended = frame.kind in TERMINAL
            case _:
                pass
