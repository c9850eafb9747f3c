"""From append to listener: how late, at what cost, with 100 and with 1,000 listening to one run.

Beside it the same run served by a generator and an XREAD for every listener. Publisher and
listeners are in this process, the server in another; four events a second is the most a run says.
"""

import asyncio
import re
import statistics
import sys
import time
from dataclasses import dataclass, field

from benchmarks.live import Bench, bench, process, processor_seconds, resident_kilobytes
from storage.ids import RunId

ID = re.compile(rb"id: (\d+)\n")
SECONDS = 8
EVENTS_A_SECOND = 4
BURST = 200
PATIENCE_SECONDS = 4  # with a server that has lost some listeners
SERVERS = {"headwater": ("-m", "api"), "an XREAD each": ("-m", "benchmarks.naive_stream")}


@dataclass(slots=True)
class Ears:
    """All listeners together: when each event reached each of them."""

    first: set[asyncio.Protocol] = field(default_factory=set[asyncio.Protocol])
    sent_at: dict[int, float] = field(default_factory=dict[int, float])
    late_ms: list[float] = field(default_factory=list[float])
    heard: int = 0

    def hear(self, who: asyncio.Protocol, data: bytes) -> None:
        if b"id: 1\n" in data:
            self.first.add(who)
        now = time.perf_counter()
        for match in ID.finditer(data):
            sent_at = self.sent_at.get(int(match[1]))
            if sent_at is not None:
                self.heard += 1
                self.late_ms.append((now - sent_at) * 1000)


class Ear(asyncio.Protocol):
    def __init__(self, ears: Ears, request: bytes) -> None:
        self.ears = ears
        self.request = request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # tells the type
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.ears.hear(self, data)


@dataclass(frozen=True, slots=True)
class Result:
    joined: float
    p50_ms: float
    p99_ms: float
    kilobytes: float
    microseconds: float
    burst: float
    lost: int


async def main() -> int:
    print(
        f"{'server':<14}{'listeners':>10}{'joined s':>10}{'p50 ms':>9}{'p99 ms':>9}{'KB each':>9}"
        f"{'us/delivery':>13}{'burst/s':>10}{'lost':>6}"
    )
    lost = 0
    async with bench() as here:
        for listeners in (100, 1_000):
            for name, command in SERVERS.items():
                result = await _measure(here, command, f"{name}-{listeners}", listeners)
                lost += result.lost if name == "headwater" else 0
                print(
                    f"{name:<14}{listeners:>10}{result.joined:>10.2f}{result.p50_ms:>9.1f}{result.p99_ms:>9.1f}"
                    f"{result.kilobytes:>9.1f}{result.microseconds:>13.0f}"
                    f"{result.burst:>10,.0f}{result.lost:>6}",
                    flush=True,
                )
    return 1 if lost else 0


async def _measure(here: Bench, command: tuple[str, ...], name: str, listeners: int) -> Result:
    run = await here.new_run(name)
    async with process(command, here.environment) as (port, pid):
        warm = await _listen(port, run, Ears(), 5)
        await asyncio.sleep(0.5)
        for ear in warm:
            ear.close()
        before = resident_kilobytes(pid)
        ears = Ears()
        began_at = time.perf_counter()
        opened = await _listen(port, run, ears, listeners)
        await _all_here(ears, listeners)
        joined = time.perf_counter() - began_at
        kilobytes = (resident_kilobytes(pid) - before) / listeners
        began = processor_seconds(pid)
        await _publish(here, run, ears, SECONDS * EVENTS_A_SECOND, every=1 / EVENTS_A_SECOND)
        await _heard(ears, SECONDS * EVENTS_A_SECOND * listeners)
        spent = processor_seconds(pid) - began
        paced, paced_heard = sorted(ears.late_ms), ears.heard
        started = time.perf_counter()
        await _publish(here, run, ears, BURST, every=0)
        await _heard(ears, paced_heard + BURST * listeners)
        burst = (ears.heard - paced_heard) / (time.perf_counter() - started)
        for ear in opened:
            ear.close()
    expected = (SECONDS * EVENTS_A_SECOND + BURST) * listeners
    return Result(
        joined=joined,
        p50_ms=statistics.median(paced),
        p99_ms=paced[int(len(paced) * 0.99)],
        kilobytes=kilobytes,
        microseconds=spent / max(1, paced_heard) * 1e6,
        burst=burst,
        lost=expected - ears.heard,
    )


async def _listen(port: int, run: RunId, ears: Ears, count: int) -> list[asyncio.Transport]:
    request = f"GET /v1/runs/{run}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    loop = asyncio.get_running_loop()
    opened: list[asyncio.Transport] = []
    for _ in range(count):
        transport, _ = await loop.create_connection(
            lambda: Ear(ears, request.encode()), "127.0.0.1", port
        )
        opened.append(transport)
    return opened


async def _publish(here: Bench, run: RunId, ears: Ears, events: int, *, every: float) -> None:
    for _ in range(events):
        # Numbered on from what was said: a tick that tells less than one before it is not taken.
        number = len(ears.sent_at)
        seq = 2 + number  # known before: nobody else appends to this run
        ears.sent_at[seq] = time.perf_counter()
        told = await here.tick(run, number)
        assert told == seq, (told, seq)  # noqa: S101  # a benchmark that measures nothing
        await asyncio.sleep(every)


async def _all_here(ears: Ears, listeners: int) -> None:
    """Wait until each has got where the run stands, or no more of them do for a while."""
    last, since = -1, time.perf_counter()
    while len(ears.first) < listeners and time.perf_counter() - since < PATIENCE_SECONDS:
        if len(ears.first) != last:
            last, since = len(ears.first), time.perf_counter()
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)


async def _heard(ears: Ears, count: int) -> None:
    """Wait until everything has arrived, or nothing has for a while."""
    last, since = -1, time.perf_counter()
    while ears.heard < count and time.perf_counter() - since < PATIENCE_SECONDS:
        if ears.heard != last:
            last, since = ears.heard, time.perf_counter()
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
