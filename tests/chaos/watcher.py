"""Somebody's browser: follows a run over the api, is cut off at random, and checks what it is told.

Every event exactly once and in order, or a gap and a snapshot; nothing that rises ever falls; the
state it folds is the state there is.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

import httpx

from tests.chaos.rig import pause
from tests.sse import Told, told

TERMINAL = ("run.succeeded", "run.succeeded_with_failures", "run.failed", "run.cancelled")
OVER = ("succeeded", "succeeded_with_failures", "failed", "cancelled")
RISING = ("found", "processed", "unchanged", "deleted", "bytes", "chunks", "tokens", "embedded")


@dataclass(slots=True)
class Watcher:
    """``wrong`` says what must not have happened, in words."""

    http: httpx.AsyncClient
    url: str
    rng: random.Random
    cut: bool = True
    cursor: int | None = None
    state: Mapping[str, Any] = field(default_factory=dict[str, Any])
    wrong: list[str] = field(default_factory=list[str])
    kinds: Counter[str] = field(default_factory=Counter[str])
    events: int = 0
    cuts: int = 0
    gaps: int = 0
    ended: bool = False
    longest: float = 0.0  # seconds without being told anything
    _last: float = field(default_factory=time.monotonic)
    _gap: bool = False
    _high: dict[str, int] = field(default_factory=dict[str, int])

    async def watch(self) -> None:
        """Until the run's end."""
        while not self.ended:
            try:
                await self._connect()
            except httpx.TransportError:
                self._gap = False
            await pause(0.05)

    async def _connect(self) -> None:
        headers = {"Accept": "text/event-stream"}
        if self.cursor is not None:
            headers["Last-Event-ID"] = str(self.cursor)
        patience = self.rng.uniform(0.05, 1.5) if self.cut else 3600.0
        try:
            async with (
                asyncio.timeout(patience),
                self.http.stream("GET", self.url, headers=headers) as response,
            ):
                if response.status_code == httpx.codes.NO_CONTENT:
                    self.ended = True
                if not response.is_success or self.ended:
                    return
                await self._read(response)
        except TimeoutError:
            self.cuts += 1
            self._gap = False  # the snapshot that belongs to it comes with the next connection

    async def _read(self, response: httpx.Response) -> None:
        most = self.rng.randint(1, 15) if self.cut else 10**9
        async with aclosing(cast(Any, told(response))) as frames:
            async for frame in frames:
                self.take(frame)
                most -= 1
                if self.ended:
                    return
                if most <= 0:
                    self.cuts += 1
                    self._gap = False
                    return

    def take(self, frame: Told) -> None:
        data = frame.data
        self._time()
        match frame.event:
            case "snapshot":
                self._take_snapshot(data)
            case "event":
                self._take_event(data)
            case "gap":
                self.gaps += 1
                self._gap = True
                if data["from"] > data["to"]:
                    self.wrong.append(f"a gap that holds nothing: {dict(data)}")

    def _time(self) -> None:
        moment = time.monotonic()
        self.longest, self._last = max(self.longest, moment - self._last), moment

    def _take_snapshot(self, data: Mapping[str, Any]) -> None:
        seq, state = data["seq"], data["state"]
        # Without a seq it is SQL's picture, shown while Redis is away: no place to go on from.
        if seq is not None and self.cursor is not None and seq > self.cursor and not self._gap:
            self.wrong.append(f"events {self.cursor + 1}..{seq} were left out without a gap")
        self._gap = False
        self._rise(state, f"a snapshot at {seq}")
        self.state = state
        self.cursor = seq
        self.ended = self.ended or bool(data["ended"])

    def _take_event(self, data: Mapping[str, Any]) -> None:
        self.events += 1
        seq = data["seq"]
        if self._gap:
            self.wrong.append(f"no snapshot between a gap and event {seq}")
            self._gap = False
        if self.cursor is None or seq != self.cursor + 1:
            self.wrong.append(f"event {seq} came after {self.cursor}")
        self.cursor = seq
        self.kinds[data["kind"]] += 1
        self.state = {**self.state, **data["patch"]}
        self._rise(self.state, f"event {seq} ({data['kind']})")
        if data["kind"] in TERMINAL:
            self.ended = True
        if sum(self.kinds[kind] for kind in TERMINAL) > 1:
            self.wrong.append("more than one terminal event")

    def _rise(self, state: Mapping[str, Any], what: str) -> None:
        for name, value in _heights(state).items():
            if value < self._high.get(name, 0):
                self.wrong.append(f"{name} fell from {self._high[name]} to {value} at {what}")
            self._high[name] = max(value, self._high.get(name, 0))
        for stage in state.get("stages", ()):
            if stage["total"] is not None and stage["done"] > stage["total"]:
                self.wrong.append(f"{stage['key']} is at {stage['done']} of {stage['total']}")


def _heights(state: Mapping[str, Any]) -> Mapping[str, int]:
    """What may only rise."""
    counts = state.get("counts", {})
    stages = {f"stage {stage['key']}": stage["done"] for stage in state.get("stages", ())}
    return (
        {name: counts.get(name, 0) for name in RISING}
        | stages
        | {
            "skipped": sum(counts.get("skipped", {}).values()),
            "failed": sum(counts.get("failed", {}).values()),
            "attempt": state.get("attempt", 0),
        }
    )
