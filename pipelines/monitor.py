"""Watches over all runs: every worker does it, and one at a time leads.

It tells apart what looks alike from afar. *Queued*: nobody is at it, never dead. *Waiting*: alive
by definition. *Lost*: no beat for a lease's time; the next claim takes it over. *Busy*: the process
beats, its loop does not answer. *Stalled*: it beats, answers, and gets nowhere for longer than the
step it is at may take; it is told so, asked to let go, and at last it is taken away.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, assert_never

import structlog

from pipelines.rounds import every
from pipelines.runtime import Services
from storage import runs, workers
from storage.clock import shared_now
from storage.database import Tx
from storage.errors import StorageUnavailable
from storage.events import RunStatus
from storage.ids import RunId
from storage.runs import Pulse

WATCH_SECONDS = 3.0
LEAD = timedelta(seconds=15)
LOST = timedelta(seconds=15)
LATE = timedelta(seconds=5)
"""A loop that is later than this is blocked: it works on something, or will never come back."""

BLOCKED = timedelta(minutes=30)
"""How long a blocked loop may go on. It cannot be asked to let go, only be left behind."""

ASKED = timedelta(seconds=15)
TAKEN = timedelta(seconds=45)
"""How long after it was told to stand still a run is asked for, and taken."""

log = structlog.get_logger()


class Verdict(StrEnum):
    WELL = "well"
    WAITING = "waiting"
    LOST = "lost"
    BUSY = "busy"
    STALLED = "stalled"
    ASKED = "asked"
    TAKEN = "taken"


def judge(pulse: Pulse, moment: datetime) -> Verdict:
    """What the run's pulse says at this moment of the database's clock."""
    if pulse.revoked or pulse.beat_at is None or moment - pulse.beat_at > LOST:
        return Verdict.LOST
    if pulse.status is RunStatus.WAITING:
        return Verdict.WAITING
    still = moment - (pulse.progressed_at or pulse.claimed_at or moment)
    patience = timedelta(seconds=pulse.hold_seconds)
    blocked = timedelta(milliseconds=pulse.lag_ms or 0) > LATE
    if still <= patience:
        return Verdict.WELL
    # Counted from where it was told: after an hour's sleep of the machine everything stood still.
    told = moment - (pulse.stalled_at or moment)
    if blocked:
        over = told > TAKEN and still > max(patience, BLOCKED)
        return Verdict.TAKEN if over else Verdict.BUSY
    if told > TAKEN:
        return Verdict.TAKEN
    return Verdict.ASKED if told > ASKED else Verdict.STALLED


@dataclass(slots=True)
class Monitor:
    services: Services

    async def watch(self) -> None:
        """Look every few seconds, until cancelled."""
        name = self.services.settings.name
        try:
            await every(WATCH_SECONDS, self.look, waits="monitor.waits")
        finally:
            with suppress(StorageUnavailable):
                async with self.services.database.transaction() as tx:
                    await workers.resign(tx, name)

    async def look(self) -> Mapping[RunId, Verdict]:
        """Judge all runs that somebody is at, and act on it. Nothing, unless this one leads."""
        async with self.services.database.transaction() as tx:
            if not await workers.lead(tx, self.services.settings.name, lease=LEAD):
                return {}
        async with self.services.database.reading() as tx:
            moment = await shared_now(tx)
            pulses = await runs.pulses(tx)
        verdicts = {}
        for pulse in pulses:
            verdicts[pulse.run] = judge(pulse, moment)
            async with self.services.database.transaction() as tx:
                if await _act(tx, pulse, verdicts[pulse.run], moment):
                    self.services.unpublished.add(pulse.run)
        return verdicts


async def _act(tx: Tx, pulse: Pulse, verdict: Verdict, moment: datetime) -> bool:
    """Whether the run's story went on."""
    match verdict:
        case Verdict.WELL | Verdict.WAITING | Verdict.LOST:
            return False
        case Verdict.BUSY | Verdict.STALLED:
            return await _tell(tx, pulse, verdict, moment)
        case Verdict.ASKED:
            if await runs.restart(tx, pulse):
                _say("monitor.asks", pulse)
            return False
        case Verdict.TAKEN:
            if await runs.revoke(tx, pulse):
                _say("monitor.takes", pulse)
            return False
        case _:
            assert_never(verdict)


async def _tell(tx: Tx, pulse: Pulse, verdict: Verdict, moment: datetime) -> bool:
    still = moment - (pulse.progressed_at or moment)
    minutes = max(1, round(still.total_seconds() / 60))
    since = "a minute" if minutes == 1 else f"{minutes} minutes"
    if verdict is Verdict.BUSY:
        words = f"One step has kept its worker busy for {since}"
        action = "Nothing to do: if it does not end, another worker goes on from the last step."
    else:
        words = f"Nothing has moved for {since}"
        action = "Nothing to do: if that stays so, another worker goes on from the last step."
    data: Mapping[str, Any] = {
        "reason": verdict,
        "worker": pulse.worker,
        "seconds": round(still.total_seconds()),
        "lag_ms": pulse.lag_ms,
        "action": action,
    }
    told = await runs.stall(tx, pulse, data=data, activity=words)
    if told:
        _say("monitor.stalled", pulse)
    return told


def _say(event: str, pulse: Pulse) -> None:
    log.warning(event, run=str(pulse.run), attempt=pulse.attempt, worker=pulse.worker)
