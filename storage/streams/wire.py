"""How an event and a state look in a stream: flat fields, JSON where there is structure.

JSON is written as ASCII, because file names may hold what UTF-8 cannot (lone surrogates).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from storage.events import Event, EventKind, Recorded, State, weigh
from storage.ids import Attempt, Seq

JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Packed:
    """An event ready to travel: its fields in the stream, and those it replaces in the state.

    ``entry`` is in the order in which ``append.lua`` takes it. ``weight``: see ``weigh``.
    """

    entry: Mapping[str, str]
    replaces: Mapping[str, str]
    weight: int | None


def pack(event: Event, milestone: int | None) -> Packed:
    replaces = pack_state(event.patch)
    members = (f"{JSON.encode(name)}:{value}" for name, value in replaces.items())
    entry = {
        "kind": event.kind.value,
        "at": event.at.isoformat(),
        "attempt": str(event.attempt),
        "milestone": "" if milestone is None else str(milestone),
        "data": JSON.encode(event.data),
        "patch": f"{{{','.join(members)}}}",
    }
    return Packed(entry, replaces, weigh(event.patch))


def unpack(seq: Seq, fields: Mapping[str, str]) -> Recorded:
    milestone = fields["milestone"]
    event = Event(
        kind=EventKind(fields["kind"]),
        at=datetime.fromisoformat(fields["at"]),
        attempt=Attempt(int(fields["attempt"])),
        data=json.loads(fields["data"]),
        patch=json.loads(fields["patch"]),
    )
    return Recorded(seq, event, int(milestone) if milestone else None)


def pack_state(state: State) -> dict[str, str]:
    """The JSON of each field. Names with a leading underscore are the stream's own."""
    if any(name.startswith("_") for name in state):
        raise ValueError("a field of the state cannot begin with an underscore")
    return {name: JSON.encode(value) for name, value in state.items()}


def unpack_state(fields: Mapping[str, str]) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in fields.items() if not name.startswith("_")}
