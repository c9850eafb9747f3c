"""An alarm rings when its time has come, wherever it was moved before."""

import asyncio
from collections.abc import Callable

import pytest

from api.alarm import Alarm

SOON, LATER = 0.01, 0.04


async def rung_at(move: Callable[[Alarm, float], None]) -> float | None:
    """How late the alarm rang, if it did before one that was set last and for later."""
    loop = asyncio.get_running_loop()
    began, rung, over = loop.time(), list[float](), asyncio.Event()
    alarm, last = Alarm(lambda: rung.append(loop.time() - began)), Alarm(over.set)
    move(alarm, began)
    last.set(began + 2 * LATER)
    await over.wait()
    alarm.close()
    assert len(rung) <= 1
    return rung[0] if rung else None


async def test_alarm_rings_at_its_time() -> None:
    rung = await rung_at(lambda alarm, now: alarm.set(now + SOON))

    assert rung is not None
    assert rung >= SOON


async def test_alarm_that_was_put_off_rings_at_the_later_time() -> None:
    def move(alarm: Alarm, now: float) -> None:
        alarm.set(now + SOON)
        alarm.set(now + LATER)

    rung = await rung_at(move)

    assert rung is not None
    assert rung >= LATER


async def test_alarm_that_was_brought_forward_rings_before_the_time_it_had() -> None:
    def move(alarm: Alarm, now: float) -> None:
        alarm.set(now + 60)
        alarm.set(now + SOON)

    assert await rung_at(move) is not None


@pytest.mark.parametrize("stop", [Alarm.clear, Alarm.close])
async def test_alarm_that_was_stopped_does_not_ring(stop: Callable[[Alarm], None]) -> None:
    def move(alarm: Alarm, now: float) -> None:
        alarm.set(now + SOON)
        stop(alarm)

    assert await rung_at(move) is None
