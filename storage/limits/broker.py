"""Leave to call a provider: asked for, waited for, and given by whoever moves the pool.

A ``Broker`` serves one pool to all of a process. Grants are pushed to it, so an idle pool answers
at once and nobody polls; whichever process comes first when tokens have come in grants for all.
"""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import uuid4

import structlog

from storage import clock
from storage.errors import CallTooLarge, LimitsUnavailable, ProviderWaiting
from storage.limits.room import Room
from storage.limits.standin import StandIn
from storage.limits.values import (
    Amounts,
    Answer,
    Dimension,
    Outcome,
    PoolId,
    ProcessId,
    Reason,
    Terms,
    Ticket,
    TicketId,
    Turn,
    Urgency,
)
from storage.limits.waiters import Grant, Waiters

log = structlog.get_logger()

PATIENCE_SECONDS = 90.0
BEAT_SECONDS = 0.75
BATCH_SECONDS = 0.003  # what comes within it is told at once
LEAST_WAIT_SECONDS = 0.01
LISTEN_SECONDS = 5.0
PROBE_SECONDS = 0.25
STAND_IN_SECONDS = 0.05
UNKNOWN_PROCESSES = 8  # where Redis was never reached, the most that are likely


@dataclass(slots=True, kw_only=True)
class Broker:
    """Made by ``open_broker``, which also runs its tasks."""

    pool: PoolId
    room: Room
    terms: Terms
    process: ProcessId
    patience_seconds: float = PATIENCE_SECONDS

    _waiters: Waiters = field(init=False, default_factory=Waiters)
    _news: asyncio.Event = field(init=False, default_factory=asyncio.Event)
    _answer: Answer | None = field(init=False, default=None)
    _heard_at: float = field(init=False, default=0.0)
    _beat_at: float = field(init=False, default=0.0)
    _stand_in: StandIn | None = field(init=False, default=None)
    _told_limits: dict[Dimension, float] = field(init=False, default_factory=dict[Dimension, float])
    _resume: bool = field(init=False, default=False)

    async def acquire(self, *, tenant: str, urgency: Urgency, cost: Amounts) -> Grant:
        """Wait until this call may be made. Settle the grant, whatever becomes of the call.

        Raises ``CallTooLarge`` at once where no window holds the call, and ``ProviderWaiting`` as
        soon as the provider is known to take no calls for longer than the patience: because it has
        been down for so long, asked us to wait for so long, or wants something from the account.
        It says until when. Cancelling gives up the place in the queue.
        """
        self._refuse_larger(cost)
        if self._answer:
            left = self._answer.pause_seconds - (_now() - self._heard_at)
            self._refuse_long(self._answer, left)
        ticket = Ticket(id=TicketId(uuid4().hex), tenant=tenant, urgency=urgency, cost=cost)
        waiter = self._waiters.add(ticket, _now())
        self._news.set()
        try:
            return await waiter.granted
        except asyncio.CancelledError:
            self._waiters.abandon(waiter)
            self._news.set()
            raise

    def settle(self, grant: Grant, outcome: Outcome) -> None:
        """Say how the call went. Returns at once; the pool hears it with the next turn."""
        self._told_limits.update({name: told for name, told in outcome.limits.items() if told > 0})
        if not grant.local:
            self._waiters.settle(grant.ticket, outcome)
        elif self._stand_in:
            self._stand_in.settle(outcome, _now())
        self._news.set()

    def resume(self) -> None:
        """Somebody has repaired what blocked the account: look at once, not in ten minutes."""
        self._resume = True
        self._answer = None
        self._news.set()

    @property
    def is_alone(self) -> bool:
        """Whether Redis is gone and this process keeps to its share."""
        return self._stand_in is not None

    @property
    def holding(self) -> str:
        """What makes calls wait just now: their pace, unless it is something worse."""
        if self.is_alone:
            return "without_redis"
        paused = self._answer is not None and self._answer.pause_seconds > 0
        reason = self._answer.reason if self._answer and paused else None
        return "pace" if reason is None else reason.value

    @property
    def rates(self) -> Amounts:
        """What is granted a second now, by all processes, as learned until here."""
        return self._answer.rates if self._answer else {}

    @property
    def learned(self) -> Amounts:
        """What guessed limits have come to, in their windows."""
        return {
            name: self.rates[name] * limit.window.total_seconds() / self.terms.use
            for name, limit in self.terms.limits.items()
            if limit.learned and name in self.rates
        } or self.terms.known

    async def pump(self) -> None:
        """Tell and ask the room, again and again; without it, grant from this process's share."""
        wait: float | None = 0.0
        while True:
            await self._until_news(BEAT_SECONDS if wait is None else min(wait, BEAT_SECONDS))
            try:
                wait = await self._turn()
            except LimitsUnavailable as error:
                await self._do_without(error)
                wait = 0.0

    async def listen(self) -> None:
        """Take what is pushed to this process."""
        while True:
            try:
                found = await self.room.deliveries(
                    self.pool, self.process, patience_seconds=LISTEN_SECONDS
                )
            except LimitsUnavailable:
                await asyncio.sleep(PROBE_SECONDS)
                continue
            self._waiters.receive(found, _now())
            if self._waiters.has_news:
                self._news.set()

    async def leave(self) -> None:
        """Tell the pool how the last calls went, and that this process is gone."""
        self._waiters.fail(asyncio.CancelledError())
        with suppress(LimitsUnavailable):
            await self._turn()
            last = Turn(process=self.process, terms=self.terms, leave=True)
            await self.room.turn(self.pool, last)

    def fail(self, error: BaseException) -> None:
        """The tasks have died: nobody who waits may wait for ever."""
        self._waiters.fail(error)

    async def _until_news(self, seconds: float) -> None:
        # All processes are told the same moment. Spread over more time the more there are, the
        # first still comes in a hundredth of a second, and Redis sees no more turns for it.
        processes = self._answer.processes if self._answer else 1
        jitter = random.random() * LEAST_WAIT_SECONDS * max(1, processes)  # noqa: S311
        with suppress(TimeoutError):
            async with asyncio.timeout(max(LEAST_WAIT_SECONDS, seconds) + jitter):
                await self._news.wait()
                await asyncio.sleep(BATCH_SECONDS)
        self._news.clear()

    async def _turn(self) -> float | None:
        """One turn; answers when to come again, in seconds."""
        now = _now()
        beat = now - self._beat_at >= BEAT_SECONDS
        terms = replace(self.terms, known=self.learned)
        turn = self._waiters.take(self.process, terms, beat=beat)
        if self._resume:
            turn = replace(turn, resume=True)
        try:
            answer = await self.room.turn(self.pool, turn)
        except BaseException:
            self._waiters.back(turn)
            raise
        self._resume = False
        self._beat_at = now if beat else self._beat_at
        self._hear(answer, turn)
        if self._waiters.has_news:
            self._news.set()
        return answer.wait_seconds if self._waiters.waiting else None

    def _hear(self, answer: Answer, turn: Turn) -> None:
        self._answer, self._heard_at = answer, _now()
        if not answer.known:
            self._waiters.say_again(turn.enqueue)
        if self._waiters.waiting:
            try:
                self._refuse_long(answer, answer.pause_seconds)
            except ProviderWaiting as error:
                self._waiters.fail(error)

    def _refuse_larger(self, cost: Amounts) -> None:
        for dimension, amount in cost.items():
            limit = self.terms.limits.get(dimension)
            configured = limit.amount if limit and not limit.learned else None
            most = self._told_limits.get(dimension, configured)
            if limit and most is not None and amount > most:
                raise CallTooLarge(dimension=dimension.value, asked=amount, limit=most)

    def _refuse_long(self, answer: Answer, pause_seconds: float) -> None:
        """A quarter of the outage's length more, as the breaker does, but five minutes at most."""
        if pause_seconds <= 0 or max(pause_seconds, answer.down_seconds) <= self.patience_seconds:
            return
        seconds = max(pause_seconds, min(300.0, answer.down_seconds / 4))
        reason = answer.reason or Reason.PROVIDER_DOWN
        until = clock.now() + timedelta(seconds=seconds)
        raise ProviderWaiting(until=until, reason=reason.value)

    async def _do_without(self, error: LimitsUnavailable) -> None:
        """Grant from this process's own share until the room answers again."""
        log.warning("limits.alone", reason=str(error), action=error.action)
        self._stand_in = StandIn(
            terms=self.terms,
            rates=self._answer.rates if self._answer else _configured(self.terms),
            processes=self._answer.processes if self._answer else UNKNOWN_PROCESSES,
            at=_now(),
        )
        probe = asyncio.create_task(self._probe())
        try:
            while not probe.done():
                waiting = [each.ticket for each in self._waiters.waiting.values()]
                for ticket in self._stand_in.grant(waiting, _now()):
                    self._waiters.grant(ticket.id, _now(), local=True)
                await asyncio.wait([probe], timeout=STAND_IN_SECONDS)
            probe.result()
        finally:
            probe.cancel()
            self._stand_in = None
        log.info("limits.shared", pool=self.pool)

    async def _probe(self) -> None:
        while True:
            with suppress(LimitsUnavailable):
                await self._turn()
                return
            await asyncio.sleep(PROBE_SECONDS)


@asynccontextmanager
async def open_broker(
    room: Room, pool: PoolId, terms: Terms, *, patience_seconds: float = PATIENCE_SECONDS
) -> AsyncGenerator[Broker]:
    """A broker and the two tasks it needs, until the block is left."""
    broker = Broker(
        pool=pool,
        room=room,
        terms=terms,
        process=ProcessId(uuid4().hex),
        patience_seconds=patience_seconds,
    )

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            broker.fail(error)

    tasks = [asyncio.create_task(broker.pump()), asyncio.create_task(broker.listen())]
    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield broker
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await broker.leave()


def _configured(terms: Terms) -> Amounts:
    return {
        name: terms.use * terms.amount(name) / limit.window.total_seconds()
        for name, limit in terms.limits.items()
    }


def _now() -> float:
    return asyncio.get_running_loop().time()
