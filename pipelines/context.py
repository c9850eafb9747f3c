"""What a component may reach. Opened once an attempt, passed first, never imported."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from pipelines.errors import MustAsk, Question
from pipelines.items import AT_ONCE, Done, Failed, Fanout, Trade
from pipelines.library import Library, MemoryLibrary
from pipelines.llm.gateway import Caller, Gateway
from pipelines.records import Records
from pipelines.vital import Vital
from pipelines.workshop import Workshop
from storage.ids import Attempt, RunId, TenantId

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
R = TypeVar("R")
A = TypeVar("A", bound=BaseModel)


class Clock(Protocol):
    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float, /) -> None: ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float, /) -> None:
        await asyncio.sleep(seconds)


@dataclass(slots=True)
class StoppedClock:
    """Time that passes only by being slept through; it remembers how."""

    moment: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    slept: list[float] = field(default_factory=list[float])

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float, /) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Retrying:
    """A component failed and is tried again: attempt number ``attempt`` of ``of``, then ``at``."""

    component: str
    attempt: int
    of: int
    at: datetime
    reason: str


class Teller(Protocol):
    """Who is told what those who watch the run should know at once."""

    def retrying(self, news: Retrying) -> None: ...


class Silence:
    """Nobody watches."""

    def retrying(self, news: Retrying) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Whom a component may ask, and in whose name."""

    name: str
    gateway: Gateway
    asker: Caller

    def caller(self, purpose: str) -> Caller:
        """``purpose`` is the component that asks."""
        return replace(self.asker, purpose=purpose)


class Mappable(Protocol[T_contra, R]):
    """A component of one argument."""

    @property
    def name(self) -> str: ...

    async def __call__(self, context: "Context", item: T_contra, /) -> R: ...

    def key(self, item: T_contra, /) -> str: ...

    def address(self, item: T_contra, /) -> str | None: ...

    def dump(self, result: R) -> Any: ...

    def load(self, value: Any) -> R: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    run: RunId
    attempt: Attempt
    tenant: TenantId
    records: Records
    workshop: Workshop
    library: Library = field(default_factory=MemoryLibrary)
    model: Model | None = None
    """None: no key is configured, and what can be done without one is done."""

    teller: Teller = field(default_factory=Silence)
    clock: Clock = field(default_factory=SystemClock)
    vital: Vital = field(default_factory=Vital)
    jitter: Callable[[], float] = random.random  # noqa: S311  # spreads retries, guards nothing

    def map(
        self, component: Mappable[T, R], items: Iterable[T], *, at_once: int = AT_ONCE
    ) -> AsyncGenerator[Done[T, R] | Failed[T]]:
        """Let a component work on each item, ``at_once`` of them at a time; what is ready first.

        An item that fails is ``Failed``, and the others go on; the run then ends with failures.
        What became of an item is durable before it is told: no later attempt does it again, be it
        done or failed; with ``Once`` around the component, no later run does what is done. Who
        watches sees a stage named after the component. Raises ``MustWait`` if items have to wait.
        """
        trade = Trade(
            component=component.name,
            work=lambda item: component(self, item),
            key=component.key,
            address=component.address,
            dump=component.dump,
            load=component.load,
        )
        return Fanout(
            trade=trade, items=list(items), records=self.records, at_once=at_once
        ).outcomes()

    async def ask(self, name: str, answer: type[A], message: str, *, about: Any = None) -> A:
        """What somebody answers to this, be it in days: until then the run waits without a worker.

        It raises ``MustAsk``; the attempt after the answer comes here again, and gets it. ``name``
        is the question's within the run: the same one has the same answer. ``about`` is shown with
        it, as JSON. An answer that the schema allows and the model does not take is asked for
        again, with the reason.
        """
        question = Question(name, answer.model_json_schema(), to_jsonable_python(about))
        given = await self.records.answer(name)
        if given is None:
            raise MustAsk(question, message)
        try:
            return answer.model_validate(given.value)
        except ValidationError as error:
            wrong = "; ".join(each["msg"] for each in error.errors(include_input=False))
            raise MustAsk(question, f"{message} ({wrong})", refused=given.given_at) from error
