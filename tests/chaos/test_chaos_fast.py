"""The fault cases that everybody runs: real processes, killed and frozen for real.

``make chaos`` plays all of them, and two hundred random ones.
"""

import asyncio
import sys
from collections.abc import Generator

import pytest

from tests.chaos import report
from tests.chaos.cases import FAST, TABLE, cases
from tests.chaos.machine import random_case
from tests.chaos.play import Result, play
from tests.chaos.stage import Stage, open_stage

pytestmark = pytest.mark.timeout(180)

TOGETHER = 4
SEEDS = range(1, 4)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    with open_stage(tmp_path_factory.mktemp("chaos")) as stage:
        yield stage


def test_every_name_of_the_fast_tier_is_a_case() -> None:
    assert {case.name for case in TABLE} >= FAST


def test_there_are_at_least_sixty_cases_and_no_two_alike() -> None:
    names = [case.name for case in cases()]

    assert len(names) >= 60
    assert len(set(names)) == len(names)
    assert len({case.slug for case in cases()}) == len(names)


async def test_a_run_survives_what_befalls_it(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """At once, because each waits for leases most of the time."""
    places = asyncio.Semaphore(TOGETHER)

    async def survive(name: str, seed: int) -> Result:
        case = fast.get(name) or random_case(seed)
        async with places:
            return await play(case, stage, seed=seed)

    fast = {case.name: case for case in cases() if case.fast}
    wanted = [*((name, 0) for name in fast), *((f"seed {seed}", seed) for seed in SEEDS)]

    results = await asyncio.gather(*(survive(*each) for each in wanted))
    with capsys.disabled():
        sys.stdout.write(
            "\n".join(("", *report.summary(results[: len(fast)], results[len(fast) :])))
        )

    assert {each.name: each.findings for each in results if each.findings} == {}
