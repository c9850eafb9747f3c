"""A run's records in SQL: written with its counts, its news and what it paid, many at a time.

Whoever writes waits for the transaction. What comes while one is on its way goes together into the
next, so a thousand small items cost far fewer commits than a thousand.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from connectors.artifact import FailureClass
from pipelines.errors import Explanation
from pipelines.journal import Journal, Step
from pipelines.ledger import Entry
from pipelines.llm.metered import Tally, sums
from pipelines.progress import Jobs
from pipelines.records import Answer, Hands, Settled
from storage import ledger, outcomes, questions
from storage.counts import Counts
from storage.events import EventKind
from storage.money import Used, usage
from storage.outcomes import Outcome
from storage.runs import Run


@dataclass(slots=True)
class Page:
    """What one transaction will write."""

    kept: dict[str, Entry] = field(default_factory=dict[str, Entry])
    settled: dict[str, Settled] = field(default_factory=dict[str, Settled])
    writing: "asyncio.Task[None] | None" = None


@dataclass(slots=True, kw_only=True)
class RunRecords:
    run: Run
    journal: Journal
    tally: Tally | None = None
    """What its calls of models cost and nobody has committed."""

    hands: Hands = field(default_factory=Hands)

    _open: Page = field(init=False, default_factory=Page)
    _turn: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    async def kept(self, keys: Collection[str]) -> Mapping[str, Any]:
        if not keys:
            return {}
        return await self.journal.look(lambda tx: ledger.get(tx, self.run.tenant, keys))

    async def keep(self, key: str, entry: Entry) -> None:
        if key in self.hands.keys:  # the item is settled next: one commit for both
            self._open.kept.setdefault(key, entry)
            return
        await self._write(lambda page: page.kept.setdefault(key, entry))

    async def settled(self, keys: Collection[str]) -> Mapping[str, Settled]:
        found = await self.journal.look(lambda tx: outcomes.get(tx, self.run.id, keys))
        for key, outcome in found.items():
            self._jobs.settle(outcome.component, [key])
        return {key: _settled(outcome) for key, outcome in found.items()}

    async def settle(self, made: Mapping[str, Settled]) -> None:
        await self._write(lambda page: page.settled.update(made))

    def expect(self, component: str, number: int) -> None:
        self._jobs.begin(component, number)
        self.journal.reporter.moved()

    async def answer(self, question: str) -> Answer | None:
        asked = await self.journal.look(lambda tx: questions.get(tx, self.run.id, question))
        if asked is None or asked.answered_at is None:
            return None
        return Answer(asked.answer, asked.answered_at)

    async def charge(self) -> None:
        """Keep what calls have cost that nothing was made of."""
        if self.tally is not None:
            await self._write(lambda _: None)

    @property
    def _jobs(self) -> Jobs:
        progress = self.journal.reporter.progress
        return progress if isinstance(progress, Jobs) else Jobs(self.journal.counts)

    async def _write(self, add: Callable[[Page], object]) -> None:
        page = self._open
        add(page)
        if page.writing is None:
            page.writing = asyncio.create_task(self._put_down(page), name=f"page-{self.run.id}")
            page.writing.add_done_callback(_looked_at)
        # Who waits may be given up on, and the others on the page are not.
        await asyncio.shield(page.writing)

    async def _put_down(self, page: Page) -> None:
        async with self._turn:  # what comes until then is on the page, too
            self._open = Page()
            used = self.tally.take() if self.tally else ()
            await self.journal.commit(lambda step: self._commit(step, page, used))

    async def _commit(self, step: Step, page: Page, used: Sequence[Used]) -> None:
        entries = {key: (entry.component, entry.value) for key, entry in page.kept.items()}
        await ledger.put(step.tx, self.run.tenant, entries)
        made = {key: _outcome(settled) for key, settled in page.settled.items()}
        new = await outcomes.settle(step.tx, self.run.tenant, self.run.id, made)
        await usage.add(step.tx, self.run.tenant, self.run.id, used)
        step.counts += sums(used)
        self._count(step, {key: page.settled[key] for key in new})

    def _count(self, step: Step, new: Mapping[str, Settled]) -> None:
        for key, settled in new.items():
            self._jobs.settle(settled.component, [key])
            if settled.failure is not None:
                told = {"title": settled.title, "stage": settled.component}
                told |= asdict(settled.failure)
                self.journal.reporter.progress.fail(told)
                step.tell(
                    EventKind.ITEM_FAILED, told, failures=self.journal.reporter.progress.failures
                )
        good = [each for each in new.values() if each.failure is None]
        failed = Counter(str(each.failure.failure) for each in new.values() if each.failure)
        processed = sum(each.new for each in good)
        step.counts += Counts(
            found=len(new), processed=processed, unchanged=len(good) - processed, failed=failed
        )


def _looked_at(writing: "asyncio.Task[None]") -> None:
    if not writing.cancelled():
        writing.exception()  # whoever waited may be gone: then nobody else looks at it


def _outcome(settled: Settled) -> Outcome:
    failure = None if settled.failure is None else asdict(settled.failure)
    return Outcome(component=settled.component, value=settled.value, failure=failure)


def _settled(outcome: Outcome) -> Settled:
    failure = outcome.failure and Explanation(
        FailureClass(outcome.failure["failure"]),
        outcome.failure["detail"],
        outcome.failure["action"],
    )
    return Settled(component=outcome.component, value=outcome.value, failure=failure or None)
