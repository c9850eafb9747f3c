"""``python -m tests.chaos``: the fault cases, then random ones. ``--help`` says what to ask for."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path

from tests.chaos import report
from tests.chaos.case import Case
from tests.chaos.cases import cases
from tests.chaos.machine import random_case
from tests.chaos.play import Result, play
from tests.chaos.shipped import fresh, open_shipped
from tests.chaos.stage import Stage, open_stage

SEEDS = 200
AT_ONCE = 5
"""They wait for leases most of the time."""


def main() -> int:
    wanted = _arguments()
    chosen = [case for case in cases() if _is_chosen(case, wanted)]
    place = Path(tempfile.mkdtemp(prefix="headwater-chaos-"))
    with open_stage(place) as stage:
        return asyncio.run(_all(stage, chosen, wanted))


async def _all(stage: Stage, chosen: list[Case], wanted: argparse.Namespace) -> int:
    light = ((case, 0) for case in chosen if not case.shipped)
    played = [each async for each in _played(stage, light, wanted)]
    played += await _shipped(stage, [case for case in chosen if case.shipped])
    random = [each async for each in _played(stage, _seeded(wanted), wanted)]
    _say("")
    for line in report.summary(played, random):
        _say(line)
    return int(any(each.findings for each in (*played, *random)))


async def _played(
    stage: Stage, what: Iterable[tuple[Case, int]], wanted: argparse.Namespace
) -> AsyncIterator[Result]:
    """As they end, so many at a time."""
    queue = iter(what)
    under_way: set[asyncio.Task[Result]] = set()
    while True:
        while len(under_way) < wanted.at_once and (following := next(queue, None)):
            case, seed = following
            under_way.add(asyncio.create_task(play(case, stage, seed=seed)))
        if not under_way:
            return
        done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            result = task.result()
            _tell(result)
            yield result


async def _shipped(stage: Stage, chosen: list[Case]) -> list[Result]:
    """One after the other, on one stack."""
    if not chosen:
        return []
    results = []
    async with open_shipped(stage.place, stage.nursery) as up:
        for case in chosen:
            result = await play(case, stage, stack=fresh(up))
            _tell(result)
            results.append(result)
    return results


def _tell(result: Result) -> None:
    _say(report.line(result))
    for finding in result.findings[:8]:
        _say(f"       {finding}")


def _seeded(wanted: argparse.Namespace) -> Iterator[tuple[Case, int]]:
    """The seeds asked for; in a soak, ever new ones until the time is over."""
    end = time.monotonic() + wanted.minutes * 60
    number = wanted.first_seed
    while number < wanted.first_seed + wanted.seeds or (wanted.soak and time.monotonic() < end):
        yield random_case(number), number
        number += 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all cases and 200 seeds")
    parser.add_argument("--soak", action="store_true", help="random cases for --minutes")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--only", default="", help="cases whose names contain this")
    parser.add_argument("--seeds", type=int, help="how many random cases")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    wanted = parser.parse_args()
    if wanted.seeds is None:
        wanted.seeds = SEEDS if wanted.full else 0
    return wanted


def _is_chosen(case: Case, wanted: argparse.Namespace) -> bool:
    if wanted.only:
        return wanted.only in case.name
    if wanted.soak or (wanted.seeds and not wanted.full):
        return False
    return bool(wanted.full or case.fast)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
