"""What it costs to come back to a run: bytes sent until the reader is up to date.

For a run of 1,000 events and one of 1,000,000. It must not grow with the run. And how long a page
that is reloaded waits for the whole state of a run of 100,000 events.
"""

import asyncio
import sys
import time
from dataclasses import dataclass

from benchmarks.live import Bench, bench, process, tick
from storage.ids import Attempt, RunId, Seq

SIZES = (1_000, 1_000_000)
KEPT = 10_000  # what a stream keeps
AT_ONCE = 64
REPAINTED = 100_000
RELOADS = 20
REPAINT_MS = 300
MAY_GROW = 1.05  # a longer number has more digits


@dataclass(frozen=True, slots=True)
class Return:
    """A way to come back: the cursor a reader brings, by how many events there are."""

    name: str
    behind: int | None


RETURNS = (
    Return("a page that is opened or reloaded", None),
    Return("a connection lost for a second", 4),
    Return("a connection lost for a minute", 240),
    Return("a laptop that slept: the very first event", -1),
)


async def main() -> int:
    grown = False
    async with bench() as here:
        made = {size: await _run_of(here, size) for size in (*SIZES, REPAINTED)}
        async with process(("-m", "api"), here.environment) as (port, _):
            print(f"{'bytes to be up to date after':<44}" + "".join(f"{n:>12,}" for n in SIZES))
            for each in RETURNS:
                sent = [await _bytes(port, made[size], size, each.behind) for size in SIZES]
                print(f"{each.name:<44}" + "".join(f"{count:>12,}" for count in sent), flush=True)
                grown |= sent[-1] > sent[0] * MAY_GROW
            late_ms = sorted([await _reload(port, made[REPAINTED]) for _ in range(RELOADS)])
            print(
                f"the state of {REPAINTED:,} events after a reload: "
                f"{late_ms[RELOADS // 2]:.0f} ms, at most {late_ms[-1]:.0f} ms"
            )
    if grown:
        print("resuming costs more for a longer run", file=sys.stderr)
    return 1 if grown or late_ms[RELOADS // 2] > REPAINT_MS else 0


async def _run_of(here: Bench, size: int) -> RunId:
    """A run with so many events. What its stream would have forgotten is not sent to it."""
    run = await here.new_run(f"run of {size}")
    last = 1
    if size > KEPT:
        snapshot = await here.log.snapshot(run)
        assert snapshot is not None  # noqa: S101  # just made
        last = size - KEPT
        await here.log.seed(
            run, snapshot.state, seq=Seq(last), milestones=1, attempt=Attempt(0), ended=False
        )
    while last < size:
        count = min(AT_ONCE, size - last)
        ticks = (here.log.append(run, tick(last + number)) for number in range(count))
        last = max(await asyncio.gather(*ticks))
    return run


async def _reload(port: int, run: RunId) -> float:
    """Milliseconds from a new connection to the whole state, as after a reload of the page."""
    began = time.perf_counter()
    await _bytes(port, run, REPAINTED, None)
    return (time.perf_counter() - began) * 1000


async def _bytes(port: int, run: RunId, size: int, behind: int | None) -> int:
    """Bytes of the body until the frame of the last event is whole."""
    place = 1 if behind == -1 else None if behind is None else size - behind
    header = "" if place is None else f"Last-Event-ID: {place}\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    writer.write(f"GET /v1/runs/{run}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    body = b""
    async with asyncio.timeout(30):
        while f"id: {size}\n".encode() not in body or not body.rstrip(b"\r\n").endswith(b"}"):
            body += await reader.read(2**16)
    writer.close()
    return len(body)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
