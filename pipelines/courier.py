"""Tells webhooks what they are to be told: every worker looks, and each takes what it sends.

At least once: a worker that dies between sending and noting it down leaves a lease that ends, and
another one sends the same message again, by the same id.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import httpx
import structlog

from connectors import egress
from connectors.egress import Exceptions
from pipelines.posting import Answer, Message, policy, post
from pipelines.rounds import PASSING, every
from storage import crashpoints
from storage.clock import shared_now
from storage.database import Database, Tx
from storage.errors import SetupError
from storage.sealed import Keyring
from storage.webhooks import Delivery, Disabled, Failure, Load, WebhookId, sending

LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 20.0
LEASE = timedelta(minutes=1)
"""Longer than it takes to send and to note it down."""

AT_ONCE = 64
"""Webhooks that are told at once, by one worker."""

A_BATCH = 8
"""What one webhook is told at once. One that hangs holds up no other."""

DESKS = 4
"""Transactions at once: it shares the connections to the database with the runs."""

ROUNDS = 25
"""Batches to one webhook; then others have their turn."""

WAITS = (
    *(timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30)),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
"""After each failed attempt but the last, as Standard Webhooks publishes it."""

SPREAD = 0.1
SEALED = Answer(trouble="Its secret cannot be opened: the operator has to look into the log.")

log = structlog.get_logger()


@dataclass(slots=True)
class Courier:
    """``keyring`` opens the secrets. ``exceptions``: where it may go beyond the internet."""

    database: Database
    keyring: Callable[[], Keyring]
    exceptions: Exceptions = field(default_factory=Exceptions)
    now: Callable[[Tx], Awaitable[datetime]] = shared_now
    patience_seconds: float = PATIENCE_SECONDS
    jitter: Callable[[], float] = random.random  # noqa: S311  # spreads retries, guards nothing
    _desks: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(DESKS))
    _serving: set[WebhookId] = field(default_factory=set[WebhookId])

    async def watch(self) -> None:
        """Look every second, until cancelled."""
        async with asyncio.TaskGroup() as group:
            begin = partial(self._begin, group)
            await every(LOOK_SECONDS, begin, waits="webhooks.wait")

    async def look(self) -> None:
        """Send all that is due now, and wait for what comes of it."""
        async with asyncio.TaskGroup() as group:
            await self._begin(group)

    async def _begin(self, group: asyncio.TaskGroup) -> None:
        room = AT_ONCE - len(self._serving)
        async with self.database.reading() as tx:
            moment = await self.now(tx)
            due = await sending.waiting(tx, moment=moment, but=self._serving, limit=room)
        for webhook in due:
            self._serving.add(webhook)
            group.create_task(self._serve(webhook), name=f"webhook-{webhook}")

    async def _serve(self, webhook: WebhookId) -> None:
        try:
            for _ in range(ROUNDS):
                if not await self._send_some(webhook):
                    return
        except PASSING as error:
            log.warning("webhooks.wait", webhook=str(webhook), reason=str(error))
        except Exception as error:  # noqa: BLE001  # the edge of one webhook: the others go on
            _tell_broken(webhook, error)
        finally:
            self._serving.discard(webhook)

    async def _send_some(self, webhook: WebhookId) -> bool:
        """Whether there may be more to send."""
        async with self._desks, self.database.transaction() as tx:
            moment = await self.now(tx)
            load = await sending.claim(tx, webhook, moment=moment, lease=LEASE, limit=A_BATCH)
        if load is None:
            return False
        try:
            secrets = load.secrets(self.keyring())
        except SetupError as error:
            log.warning("webhooks.sealed", webhook=str(webhook), reason=str(error))
            for each in load.deliveries:
                await self._note(each, SEALED)
            return False
        allowed = policy(load.url, self.exceptions)
        async with egress.client(allowed, timeout=self.patience_seconds) as client:
            sent = [self._send(client, load, each, secrets) for each in load.deliveries]
            ends = await asyncio.gather(*sent, return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end  # when all have come to an end: none goes on without its client
        return True

    async def _send(
        self, client: httpx.AsyncClient, load: Load, it: Delivery, secrets: Sequence[str]
    ) -> None:
        message = Message(id=it.message_id, body=it.body)
        answer = await post(
            client,
            load.url,
            message,
            message.headers(secrets, at=load.moment),
            patience_seconds=self.patience_seconds,
            at=load.moment,
        )
        crashpoints.reached("webhook.sent")
        await self._note(it, answer)

    async def _note(self, it: Delivery, answer: Answer) -> None:
        disabled: Disabled | None = None
        async with self._desks, self.database.transaction() as tx:
            moment = await self.now(tx)
            if answer.trouble is None and answer.status is not None:
                await sending.arrived(tx, it, answered=answer.status, moment=moment)
            else:
                why = self._failure(it, answer, moment)
                disabled = await sending.failed(tx, it, why, moment=moment)
        log.info(
            "webhook.told",
            webhook=str(it.webhook),
            delivery=str(it.id),
            kind=it.kind,
            answered=answer.status,
            trouble=answer.trouble,
        )
        if disabled is not None:
            log.warning("webhook.disabled", webhook=str(it.webhook), reason=disabled)

    def _failure(self, it: Delivery, answer: Answer, moment: datetime) -> Failure:
        retry_at: datetime | None = None
        if it.attempts < len(WAITS):
            wait = WAITS[it.attempts] * (1 + SPREAD * self.jitter())
            retry_at = moment + max(wait, answer.after or timedelta())
        trouble = answer.trouble or "It did not answer."
        return Failure(trouble=trouble, answered=answer.status, retry_at=retry_at, gone=answer.gone)


def _tell_broken(webhook: WebhookId, error: Exception) -> None:
    log.error("webhooks.broken", webhook=str(webhook), exc_info=error)
