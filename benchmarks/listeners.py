"""Five thousand listeners at one api process: held, nothing lost, how late, at what cost.

They follow fifty runs, of which each says something once a second, at no common beat; then each
says twenty things at once. Beside it the usual way, a blocking XREAD for every listener, by
sse-starlette and by FastAPI's own server-sent events. Last, all of them at one run: then an event
is as late as it takes to send it 5,000 times. Listeners are in processes of their own; times are
the machine's clock.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.crowd import Report
from benchmarks.live import (
    Bench,
    bench,
    most_files,
    process,
    processor_seconds,
    resident_kilobytes,
)
from storage.ids import RunId

CROWDS = 2
BURST = 20
SPARE_FILES = 500
PATIENCE_SECONDS = 5  # with a server from which nothing comes any more
P99_MS, KILOBYTES, BURST_A_SECOND = 50, 20, 20_000
NAIVE = ("-m", "benchmarks.naive_stream")
WAYS = {
    "headwater": ("-m", "api"),
    "sse-starlette": (*NAIVE, "sse-starlette"),
    "fastapi": (*NAIVE, "fastapi"),
}


@dataclass(slots=True)
class Audience:
    """All crowds at one server, and what they have heard so far."""

    crowds: Sequence[asyncio.subprocess.Process]
    told: list[Report] = field(default_factory=list[Report])
    late_ms: list[float] = field(default_factory=list[float])

    async def gather(self) -> None:
        self.told = [await _line(crowd) for crowd in self.crowds]

    async def ask(self) -> None:
        for crowd in self.crowds:
            assert crowd.stdin is not None  # noqa: S101  # it was made with one
            crowd.stdin.write(b"\n")
        await self.gather()
        for report in self.told:
            self.late_ms += report.late_ms

    async def hear(self, count: int) -> None:
        """Wait until so much has arrived, or nothing has for a while."""
        last, since = -1, time.monotonic()
        while self.heard < count and time.monotonic() - since < PATIENCE_SECONDS:
            if self.heard != last:
                last, since = self.heard, time.monotonic()
            await asyncio.sleep(0.25)
            await self.ask()

    @property
    def heard(self) -> int:
        return sum(report.heard for report in self.told)

    @property
    def held(self) -> int:
        return sum(report.joined - report.gone for report in self.told)

    @property
    def repeated(self) -> int:
        return sum(report.repeated for report in self.told)

    @property
    def last_ns(self) -> int:
        return max(report.last_ns for report in self.told)


@dataclass(frozen=True, slots=True)
class Result:
    held: int
    joined: float
    lost: int
    repeated: int
    p50_ms: float
    p99_ms: float
    kilobytes: float
    microseconds: float
    burst: float

    def row(self, name: str) -> str:
        return (
            f"{name:<22}{self.held:>7,}{self.joined:>10.1f}{self.lost:>9,}{self.repeated:>9,}"
            f"{self.p50_ms:>9.1f}{self.p99_ms:>9.1f}{self.kilobytes:>9.1f}"
            f"{self.microseconds:>13.0f}{self.burst:>10,.0f}"
        )


async def main(arguments: Sequence[str]) -> int:
    asked = _options().parse_args(arguments)
    most = (most_files() - SPARE_FILES) // 2  # the usual way has a connection to Redis for each
    count = min(asked.listeners, most)
    if count < asked.listeners:
        print(f"This machine allows so many open files that {count:,} listeners fit.")
    print(f"{_machine()}\n{count:,} listeners, {asked.runs} runs, one event a second of each")
    print(
        f"{'':<22}{'held':>7}{'joined s':>10}{'lost':>9}{'repeated':>9}{'p50 ms':>9}{'p99 ms':>9}"
        f"{'KB each':>9}{'us/delivery':>13}{'burst/s':>10}"
    )
    results: dict[str, Result] = {}
    async with bench() as here:
        for way in asked.only or WAYS:
            results[way] = await _measure(here, way, count, asked.runs, asked.seconds)
            print(results[way].row(way), flush=True)
        if "headwater" in results and asked.runs > 1:
            crowded = await _measure(here, "headwater", count, 1, asked.seconds)
            print(crowded.row("headwater, all at one"), flush=True)
    return _judge(results["headwater"], count) if "headwater" in results else 0


def _judge(ours: Result, count: int) -> int:
    checks = {
        f"all {count:,} held": ours.held == count,
        "nothing lost, nothing twice": not (ours.lost or ours.repeated),
        f"p99 of at most {P99_MS} ms": ours.p99_ms <= P99_MS,
        f"at most {KILOBYTES} KB each": ours.kilobytes <= KILOBYTES,
        f"at least {BURST_A_SECOND:,} deliveries/s in a burst": ours.burst >= BURST_A_SECOND,
    }
    for promise, kept in checks.items():
        print(f"{'met   ' if kept else 'MISSED'}  {promise}")
    return 0 if all(checks.values()) else 1


async def _measure(here: Bench, way: str, count: int, runs: int, seconds: int) -> Result:
    watched = [await here.new_run(f"{way} {runs} {number}") for number in range(runs)]
    async with process(WAYS[way], here.environment) as (port, pid):
        async with _audience(port, runs, watched) as warm:
            await warm.ask()
        before = resident_kilobytes(pid)
        began = time.monotonic()
        async with _audience(port, count, watched) as audience:
            joined = time.monotonic() - began
            spent = processor_seconds(pid)
            await _paced(here, watched, seconds)
            await audience.hear(seconds * count)
            spent = processor_seconds(pid) - spent
            late_ms, paced = sorted(audience.late_ms) or [0.0], max(1, audience.heard)
            kilobytes = (resident_kilobytes(pid) - before) / count
            started = time.monotonic_ns()
            await _burst(here, watched, after=seconds)
            await audience.hear((seconds + BURST) * count)
            burst = (audience.heard - paced) / max(1, audience.last_ns - started) * 1e9
            return Result(
                held=audience.held,
                joined=joined,
                lost=(seconds + BURST) * count - audience.heard,
                repeated=audience.repeated,
                p50_ms=late_ms[len(late_ms) // 2],
                p99_ms=late_ms[int(len(late_ms) * 0.99)],
                kilobytes=kilobytes,
                microseconds=spent / paced * 1e6,
                burst=burst,
            )


@asynccontextmanager
async def _audience(port: int, count: int, runs: Sequence[RunId]) -> AsyncGenerator[Audience]:
    async with AsyncExitStack() as stack:
        crowds = [
            await stack.enter_async_context(_crowd(port, share, runs))
            for share in (count // CROWDS, count - count // CROWDS)
        ]
        audience = Audience(crowds)
        await audience.gather()
        yield audience


@asynccontextmanager
async def _crowd(
    port: int, count: int, runs: Sequence[RunId]
) -> AsyncGenerator[asyncio.subprocess.Process]:
    crowd = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.crowd", str(port), str(count), *map(str, runs)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**26,
    )
    try:
        yield crowd
    finally:
        crowd.terminate()
        await crowd.wait()


async def _line(crowd: asyncio.subprocess.Process) -> Report:
    assert crowd.stdout is not None  # noqa: S101  # it was made with one
    return Report(**json.loads(await crowd.stdout.readline()))


async def _paced(here: Bench, runs: Sequence[RunId], seconds: int) -> None:
    chance = random.Random(7)
    loop = asyncio.get_running_loop()
    begin = loop.time() + 0.1

    async def speak(run: RunId, offset: float) -> None:
        for second in range(seconds):
            await asyncio.sleep(begin + offset + second - loop.time())
            await here.tick(run, second)

    await asyncio.gather(*(speak(run, chance.random()) for run in runs))


async def _burst(here: Bench, runs: Sequence[RunId], *, after: int) -> None:
    """Numbered on from what was said: a tick that tells less than one before it is not taken."""

    async def speak(run: RunId) -> None:
        for number in range(after, after + BURST):
            await here.tick(run, number)

    await asyncio.gather(*map(speak, runs))


def _machine() -> str:
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = Path("/proc/loadavg").read_text().split()[0]
    return f"{os.cpu_count()} cores, {gigabytes:.0f} GB, load {load} before"


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks listeners", description=__doc__)
    parser.add_argument("--listeners", type=int, default=5_000)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--only", nargs="*", choices=tuple(WAYS))
    return parser


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
