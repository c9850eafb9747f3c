"""Reading with a model: from texts to what they say, each proved, kept, or said why not.

What was answered once is never asked again: answers are kept by content, prompt, profile and
model, in the tenant's ledger, for parts of long texts too. One text's trouble is its own: whoever
shared a call with it is asked about again alone, and what cannot be read ends as ``Unread``.
"""

import asyncio
import hashlib
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from pipelines.errors import MustWait, longest
from pipelines.ledger import Entry, Ledger
from pipelines.llm.cleaning import clean
from pipelines.llm.errors import AnswerCut, AnswerMalformed, ModelError, TooLong
from pipelines.llm.gateway import Gateway
from pipelines.llm.merging import merged
from pipelines.llm.outcomes import Outcome, Read, Unread, head_shown, matched, shown
from pipelines.llm.proofs import leaks
from pipelines.llm.questions import PART_TOKENS, Asking, Paper, Text, packed

COMPONENT = "read"
CALLS_AT_ONCE = 16
MOST_PARTS = 24
SMALLEST = 3_000  # characters: half of it is within every context, or it is not about length


Job = Coroutine[Any, Any, Mapping[str, Outcome]]


@dataclass(slots=True, kw_only=True)
class ModelReader:
    """One run's. Safe for several batches at a time: the same content is asked about once."""

    gateway: Gateway
    asking: Asking
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CALLS_AT_ONCE))
    _busy: dict[str, "asyncio.Future[Outcome]"] = field(
        default_factory=dict[str, "asyncio.Future[Outcome]"]
    )

    @property
    def identity(self) -> str:
        return self.asking.identity

    def address(self, digest: str) -> str:
        """Where the ledger keeps what was read of this content."""
        stated = f"{COMPONENT}\n{self.identity}\n{digest}"
        return hashlib.sha256(stated.encode()).hexdigest()

    def addresses(self, text: Text) -> list[str]:
        """All that should be looked up before the text is read: it, and the parts of a long one."""
        parts = _planned(text)[0] if text.tokens > PART_TOKENS else []
        return [self.address(text.digest), *(self.address(part.key) for part in parts)]

    async def read(self, texts: Iterable[Text], ledger: Ledger) -> Mapping[str, Outcome]:
        """By digest. Raises nothing of the model's: what must wait is an outcome, too.

        What has no word in it is in no answer, for there is nothing to be read.
        """
        found: dict[str, Outcome] = {}
        elsewhere: dict[str, asyncio.Future[Outcome]] = {}
        new: list[Text] = []
        for text in {text.digest: text for text in texts if _has_words(text)}.values():
            kept = ledger.get(self.address(text.digest))
            if kept is not None:
                found[text.digest] = Read(kept.value)
            elif text.digest in self._busy:
                elsewhere[text.digest] = self._busy[text.digest]
            else:
                new.append(text)
        found |= await self._read_new(new, ledger)
        for digest, outcome in elsewhere.items():
            found[digest] = await outcome
            _keep(ledger, self.address(digest), found[digest])
        return found

    async def _read_new(self, texts: Sequence[Text], ledger: Ledger) -> Mapping[str, Outcome]:
        loop = asyncio.get_running_loop()
        mine = {text.digest: loop.create_future() for text in texts}
        self._busy |= mine
        try:
            found = await _together(self._jobs(texts, ledger))
            for digest, outcome in found.items():
                mine[digest].set_result(outcome)
        finally:
            for digest, future in mine.items():
                future.cancel()  # which does nothing to one that is done
                del self._busy[digest]
        return found

    def _jobs(self, texts: Sequence[Text], ledger: Ledger) -> list[Job]:
        short = [text for text in texts if text.tokens <= PART_TOKENS]
        papers = [Paper(text=each, clean=clean(each.text), tokens=each.tokens) for each in short]
        jobs = [self._group(group, ledger) for group in packed(papers)]
        return jobs + [self._long(text, ledger) for text in texts if text.tokens > PART_TOKENS]

    async def _group(self, papers: Sequence[Paper], ledger: Ledger) -> Mapping[str, Outcome]:
        answered: Mapping[str, Read] = {}
        if len(papers) > 1:
            try:
                answered = await self._ask(papers, ledger)
            except MustWait as wait:
                return {paper.text.digest: wait for paper in papers}
            except ModelError:
                answered = {}  # one of them, or their being together: each by itself will tell
        rest = [paper for paper in papers if paper.key not in answered]
        alone = await asyncio.gather(*(self._alone(paper, ledger) for paper in rest))
        found = {paper.text.digest: each for paper, each in zip(rest, alone, strict=True)}
        return {**answered, **found}

    async def _alone(self, paper: Paper, ledger: Ledger, *, room: int = 1) -> Outcome:
        """Asked again once with more room, then in halves if that may help."""
        try:
            return await self._ask_one(paper, ledger, room=room)
        except MustWait as wait:
            return wait
        except ModelError as error:
            if room == 1 and isinstance(error, AnswerCut | AnswerMalformed):
                return await self._alone(paper, ledger, room=2)
            if isinstance(error, TooLong | AnswerCut) and len(paper.clean.text) >= SMALLEST:
                return await self._halved(paper, ledger)
            return Unread(error)

    async def _ask_one(self, paper: Paper, ledger: Ledger, *, room: int) -> Read:
        answered = await self._ask([paper], ledger, room=room)
        if paper.key not in answered:
            raise AnswerMalformed(_ASTRAY, model=self.asking.model)
        return answered[paper.key]

    async def _ask(
        self, papers: Sequence[Paper], ledger: Ledger, *, room: int = 1
    ) -> Mapping[str, Read]:
        """What was answered well, by the paper's key. What was not is not in it."""
        question = self.asking.about(papers, room=room)
        async with self._places:
            answer = await self.gateway.ask(question.call)
        found = {}
        for paper, value in matched(question, answer.value["documents"]):
            if leaks(value, question.call.instructions, paper.clean.text):
                continue
            found[paper.key] = Read(shown(value, paper, answer))
            _keep(ledger, self.address(paper.key), found[paper.key])
        return found

    async def _long(self, text: Text, ledger: Ledger) -> Mapping[str, Outcome]:
        papers, share = _planned(text)
        outcome = await self._parts(text, papers, ledger)
        if isinstance(outcome, Read) and share < 1:
            outcome = Read({**outcome.value, "read_share": round(share, 3)})
            _keep(ledger, self.address(text.digest), outcome)
        return {text.digest: outcome}

    async def _halved(self, paper: Paper, ledger: Ledger) -> Outcome:
        text, middle = paper.text, (paper.offset + paper.end) // 2
        halves = [_part(text, paper.offset, middle), _part(text, middle, paper.end)]
        return await self._parts(text, halves, ledger, key=paper.key)

    async def _parts(
        self, text: Text, papers: Sequence[Paper], ledger: Ledger, *, key: str | None = None
    ) -> Outcome:
        outcomes = await asyncio.gather(*(self._one_part(paper, ledger) for paper in papers))
        waits = [each for each in outcomes if isinstance(each, MustWait)]
        if waits:
            return longest(waits)
        read = [each.value for each in outcomes if isinstance(each, Read)]
        if not read:
            return outcomes[0]
        try:
            head = await self._head(text.name, read)
        except MustWait as wait:
            return wait
        whole = Read(merged(read, head, schema=self.asking.profile.schema))
        _keep(ledger, self.address(key or text.digest), whole)
        return whole

    async def _one_part(self, paper: Paper, ledger: Ledger) -> Outcome:
        kept = ledger.get(self.address(paper.key))
        return Read(kept.value) if kept else await self._alone(paper, ledger)

    async def _head(
        self, name: str, parts: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Any] | None:
        """What the parts come to; None if no model can tell, for the parts are there anyway."""
        notes = [{key: part[key] for key in _NOTED} for part in parts]
        try:
            async with self._places:
                answer = await self.gateway.ask(self.asking.merging(name, notes))
        except ModelError:
            return None
        return head_shown(answer.value)


_ASTRAY = "The model did not answer about the text it was asked about"
_NOTED = ("kind", "title", "summary", "phrases", "importance", "language")


def _has_words(text: Text) -> bool:
    return any(map(str.isalnum, text.text))


def _part(text: Text, start: int, end: int) -> Paper:
    part = text.text[start:end]
    tokens = max(1, text.tokens * len(part) // max(1, len(text.text)))
    return Paper(text=text, clean=clean(part), tokens=tokens, offset=start, length=end - start)


def _planned(text: Text) -> tuple[list[Paper], float]:
    """The parts of a long text that are read, and how much of it they are."""
    most = PART_TOKENS * len(text.text) // text.tokens
    bounds = [*_starts(text.text, most), len(text.text)]
    papers = [_part(text, start, end) for start, end in pairwise(bounds)][:MOST_PARTS]
    return papers, papers[-1].end / len(text.text)


def _starts(text: str, most: int) -> Iterator[int]:
    """Where parts of at most so many characters begin: at a line's start, if there is one near."""
    start = 0
    while start < len(text):
        yield start
        end = start + most
        line = text.rfind("\n", start + most // 2, end) + 1
        start = line if line and end < len(text) else end


def _keep(ledger: Ledger, address: str, outcome: Outcome) -> None:
    if isinstance(outcome, Read):
        ledger.put(address, Entry(COMPONENT, outcome.value))


async def _together(jobs: Iterable[Job]) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    for outcomes in await asyncio.gather(*jobs):
        found |= outcomes
    return found
