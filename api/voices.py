"""How a stream says its lines: in our own words, or in another protocol's."""

import json
from dataclasses import dataclass, field
from typing import Protocol

from api.adapters import ADAPTERS, LAST, Channel
from api.adapters import Protocol as Foreign
from api.adapters.frames import Told
from api.encoding import Format, Line
from storage.ids import RunId


class Voice(Protocol):
    """``over``: nothing may follow. ``native``: it can say goodbye, and name a place."""

    @property
    def form(self) -> Format: ...

    @property
    def native(self) -> bool: ...

    @property
    def over(self) -> bool: ...

    def say(self, line: Line) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Native:
    form: Format
    native: bool = field(init=False, default=True)
    over: bool = field(init=False, default=False)

    def say(self, line: Line) -> bytes:
        return line.bytes_in(self.form)


@dataclass(slots=True)
class Adapted:
    """Server-sent events of another protocol."""

    protocol: Foreign
    channel: Channel
    run: RunId
    form: Format = field(init=False, default=Format.SSE)
    native: bool = field(init=False, default=False)
    _told: Told = field(init=False)

    def __post_init__(self) -> None:
        self._told = Told(str(self.run))

    @property
    def over(self) -> bool:
        return self._told.over

    def say(self, line: Line) -> bytes:
        adapter = ADAPTERS[self.protocol, self.channel]
        before = self._told
        self._told, events = adapter(before, json.loads(line.ndjson))
        said = b"".join(
            f"data: {json.dumps(each, separators=(',', ':'))}\n\n".encode() for each in events
        )
        ends = self._told.over and not before.over
        return said + (LAST[self.protocol] if ends else b"")
