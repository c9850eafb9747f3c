"""Components that run together, under a name: what can be asked for over the api.

    @workflow(input=Question, output=Answer)
    async def answer(context: Context, question: Question) -> AsyncIterator[str | Answer]:
        async for text in ...:
            yield text           # told to whoever follows the run's output
        yield Answer(...)        # the result, last

A plain async function that returns the output does as well. What it does must bear being done
again: an attempt that dies is followed by another one, from the beginning but for what components
guarded by ``Once`` have kept, and for the items that ``context.map`` has settled.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter

from pipelines.context import Context
from storage.errors import SetupError
from storage.workflows import Published

I = TypeVar("I", bound=BaseModel)  # noqa: E741  # input
O = TypeVar("O")  # noqa: E741  # output

GROUP = "headwater.workflows"
"""The entry points by which packages bring workflows: each names a ``Workflow``."""

INGEST = "ingest"
"""The one that is no ``Workflow``: it is started at a connection."""

Function = Callable[[Context, I], AsyncIterator[Any] | Awaitable[O]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow(Generic[I, O]):
    """``output`` is what the result must be; ``str``: all the text that was said."""

    name: str
    version: int
    title: str
    description: str
    input: type[I]
    output: type[O]
    function: Function[I, O]

    def published(self) -> Published:
        return Published(
            name=self.name,
            version=self.version,
            title=self.title,
            description=self.description,
            input_schema=self.input.model_json_schema(),
            output_schema=TypeAdapter(self.output).json_schema(mode="serialization"),
        )

    def begin(self, context: Context, given: Mapping[str, Any]) -> AsyncIterator[Any]:
        """All that it yields; the value of a plain function is all that one does.

        Raises pydantic's ``ValidationError`` if the input is not what it takes any more.
        """
        return _all_of(self.function(context, self.input.model_validate(given)))

    def is_result(self, value: object) -> bool:
        return self.output is not str and isinstance(value, self.output)


def workflow(
    *,
    input: type[I],  # noqa: A002  # the word of the api
    output: type[O],
    name: str | None = None,
    title: str | None = None,
    version: int = 1,
) -> Callable[[Function[I, O]], Workflow[I, O]]:
    """Make a workflow of an async function or an async generator.

    Its docstring is the description that the api shows. Raise ``version`` with every change of the
    schemas.
    """

    def decorate(function: Function[I, O]) -> Workflow[I, O]:
        called: str = name or function.__name__
        return Workflow(
            name=called,
            version=version,
            title=title or called.replace("_", " ").capitalize(),
            description=" ".join((function.__doc__ or "").split()),
            input=input,
            output=output,
            function=function,
        )

    return decorate


def installed(modules: Iterable[str]) -> Mapping[str, Workflow[Any, Any]]:
    """What packages bring, and what is in the modules that a setting names, by name.

    Raises ``SetupError`` for a module that cannot be imported, or two workflows of one name.
    """
    found: dict[str, Workflow[Any, Any]] = {}
    for each in (*_from_packages(), *(each for name in modules for each in _from_module(name))):
        if found.setdefault(each.name, each) is not each or each.name == INGEST:
            raise SetupError(
                f"There is more than one workflow named {each.name!r}.",
                action="Give one of them another name: @workflow(name=…).",
            )
    return found


async def _all_of(made: AsyncIterator[Any] | Awaitable[Any]) -> AsyncIterator[Any]:
    if isinstance(made, AsyncIterator):
        async for each in made:
            yield each
    else:
        yield await made


def _from_packages() -> Iterable[Workflow[Any, Any]]:
    for point in entry_points(group=GROUP):
        try:
            loaded = point.load()
        except ImportError as error:
            raise _unusable(point.value, error) from error
        if not isinstance(loaded, Workflow):
            raise _unusable(point.value, "it is no workflow")
        yield loaded


def _from_module(name: str) -> Iterable[Workflow[Any, Any]]:
    try:
        module = import_module(name)
    except ImportError as error:
        raise _unusable(name, error) from error
    found = [each for each in vars(module).values() if isinstance(each, Workflow)]
    if not found:
        raise _unusable(name, "there is no workflow in it")
    yield from found


def _unusable(place: str, reason: object) -> SetupError:
    return SetupError(
        f"Workflows cannot be taken from {place}: {reason}.",
        action="Correct HEADWATER_WORKFLOWS, or the package's entry points.",
    )
