"""Frames as bytes, made once and shared by every listener."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from storage.events import TERMINAL, Frame, Gap, Recorded, Snapshot, State, weigh
from storage.ids import Seq


class Format(StrEnum):
    SSE = "text/event-stream"
    NDJSON = "application/x-ndjson"


PING: Mapping[Format, bytes] = {
    Format.SSE: b": ping\n\n",
    Format.NDJSON: b'{"type":"ping"}\n',
}


@dataclass(frozen=True, slots=True)
class Line:
    """A frame ready to send. ``seq`` is the place it leaves its reader at, None for none.

    ``whole``: it tells the whole state, so it follows any place; an event follows the one before.
    """

    seq: Seq | None
    ends: bool
    whole: bool
    sse: bytes
    ndjson: bytes
    weight: int | None = None
    """Of a state that has no place: the lighter one is the older one."""

    def bytes_in(self, form: Format) -> bytes:
        return self.sse if form is Format.SSE else self.ndjson


def line(frame: Frame) -> Line:
    kind, payload = described(frame)
    match frame:
        case Recorded():
            ends = frame.event.kind in TERMINAL
            return _line(kind, payload, frame.seq, ends=ends, whole=False)
        case Snapshot():
            return _line(kind, payload, frame.as_of, ends=frame.ended)
        case Gap():
            return _line(kind, payload, None)


def unplaced(state: State) -> Line:
    """A snapshot from SQL: true, but no place in the stream to resume from.

    Its empty ``id`` makes a browser forget the place it had: what follows that is older than this.
    """
    made = _line("snapshot", {"seq": None, "state": state, "ended": False}, None)
    return replace(made, sse=b"id:\n" + made.sse, weight=weigh(state))


def goodbye(reason: str, *, retry_milliseconds: int) -> Line:
    made = _line("goodbye", {"reason": reason}, None)
    return replace(made, sse=f"retry: {retry_milliseconds}\n".encode() + made.sse)


def described(frame: Frame) -> tuple[str, dict[str, Any]]:
    """A frame's type and its other fields."""
    match frame:
        case Snapshot():
            return "snapshot", {"seq": frame.as_of, "state": frame.state, "ended": frame.ended}
        case Gap():
            return "gap", {"from": frame.first, "to": frame.last}
        case Recorded():
            event = frame.event
            return "event", {
                "seq": frame.seq,
                "kind": event.kind,
                "at": event.at.isoformat(),
                "attempt": event.attempt,
                "data": event.data,
                "patch": event.patch,
            }


def _line(
    kind: str,
    payload: Mapping[str, Any],
    seq: Seq | None,
    *,
    ends: bool = False,
    whole: bool = True,
) -> Line:
    # Plain ASCII on purpose: some readers end a line at U+2028 too, and a title may hold one.
    body = json.dumps(payload, separators=(",", ":"))
    place = "" if seq is None else f"id: {seq}\n"
    sse = f"{place}event: {kind}\ndata: {body}\n\n"
    ndjson = f'{{"type":"{kind}",{body[1:]}\n'
    return Line(seq, ends=ends, whole=whole, sse=sse.encode(), ndjson=ndjson.encode())
