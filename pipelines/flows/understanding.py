"""Where a batch meets the model: what was kept is looked up, the rest is asked, all is told."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from pipelines.digest import Digest
from pipelines.errors import MustWait
from pipelines.journal import Step
from pipelines.ledger import BatchLedger, open_batch
from pipelines.llm.metered import sums
from pipelines.llm.outcomes import Outcome, Read, Unread
from pipelines.llm.questions import Text
from pipelines.reader import Reading
from pipelines.runtime import Work
from pipelines.stages import ready_key
from storage.artifacts import Ready, Staged
from storage.counts import Counts
from storage.ledger import put
from storage.money import Used, usage

Pair = tuple[Staged, Digest]
"""An artifact, and what was made of it without a model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Understanding:
    """What a model made of a batch, by content. Empty where no model reads."""

    identity: str = ""
    outcomes: Mapping[str, Outcome] = field(default_factory=dict[str, Outcome])
    ledger: BatchLedger = field(default_factory=lambda: BatchLedger({}))
    used: Sequence[Used] = ()

    def wait_of(self, staged: Staged) -> MustWait | None:
        outcome = self.outcomes.get(staged.digest)
        return outcome if isinstance(outcome, MustWait) else None

    def ready(self, pair: Pair, fault: Unread | None = None) -> Ready:
        """The artifact with its best reading. One that another run may read is not done with.

        ``fault`` is why some of it has no vector.
        """
        staged = pair[0]
        return Ready(
            id=staged.id,
            digest=staged.digest,
            ready_key=self._ready_key(staged, fault),
            title=staged.title,
            reading={**self.reading(pair), **({"unembedded": fault.shown} if fault else {})},
        )

    def _ready_key(self, staged: Staged, fault: Unread | None) -> str:
        outcome = self.outcomes.get(staged.digest)
        unread = [each for each in (outcome, fault) if isinstance(each, Unread)]
        if any(each.passing for each in unread):
            return ready_key(staged.digest)
        # The next run asks once more, and no other: a text about which a model always talks
        # nonsense would cost something each time.
        again = ready_key(staged.digest, f"{self.identity}, again")
        if any(each.nonsense for each in unread) and staged.ready_key != again:
            return again
        return ready_key(staged.digest, self.identity)

    def reading(self, pair: Pair) -> Mapping[str, Any]:
        """What the model said, else what can be said without one, and why none said more."""
        staged, digest = pair
        extracted = {each.name: getattr(digest.reading, each.name) for each in fields(Reading)}
        match self.outcomes.get(staged.digest):
            case Read(value):
                return {**extracted, **value}
            case Unread() as unread:
                return {**extracted, "unread": unread.shown}
            case _:
                return extracted

    def counts(self, whole: Sequence[Pair]) -> Counts:
        outcomes = [self.outcomes.get(staged.digest) for staged, _ in whole]
        read = [each.value for each in outcomes if isinstance(each, Read)]
        return Counts(
            unread=Counter(each.code for each in outcomes if isinstance(each, Unread)),
            unproved=sum(value["unproved"] for value in read),
        ) + sums(self.used)

    async def keep(self, step: Step, work: Work) -> None:
        """What was paid is kept with what was made of it."""
        rows = self.ledger.rows()
        await put(step.tx, work.run.tenant, rows, connection=work.connection.id)
        await usage.add(step.tx, work.run.tenant, work.run.id, self.used)


async def understand(work: Work, whole: Sequence[Pair]) -> Understanding:
    """Raises nothing of the model's: what must wait is an outcome."""
    if work.thoughts is None or not whole:
        return Understanding()
    reader, tenant = work.thoughts.reader, work.run.tenant
    texts = [_text(staged, digest) for staged, digest in whole]
    keys = {key for text in texts for key in reader.addresses(text)}
    ledger = await open_batch(work.database, tenant, keys)
    outcomes = await reader.read(texts, ledger)
    return Understanding(
        identity=reader.identity,
        outcomes=outcomes,
        ledger=ledger,
        used=work.thoughts.tally.take(),
    )


def _text(staged: Staged, digest: Digest) -> Text:
    return Text(
        digest=staged.digest,
        name=staged.path or staged.title,
        text="".join(chunk.text for chunk in digest.chunks),
        tokens=sum(chunk.tokens for chunk in digest.chunks),
    )
