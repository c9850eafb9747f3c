"""A component is an async function with guards around it.

A guard is handed the call and a ``proceed``; it may wait, skip, retry or translate, and it returns
what the component would have returned. Guards are listed outermost first. There is nothing else: no
base class, no registry, no hidden state.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import (
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Protocol,
    TypeVar,
    get_type_hints,
    runtime_checkable,
)

from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from pipelines.context import Context

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[R]):
    """One use of a component. ``key`` says what it is about; equal keys mean equal results."""

    component: str
    context: Context
    returns: TypeAdapter[R]
    key: Callable[[], str]
    attempt: int = 1


class Guard(Protocol):
    async def __call__(self, call: Call[R], proceed: Callable[[Call[R]], Awaitable[R]]) -> R: ...


@runtime_checkable
class Keeps(Protocol):
    """A guard that keeps results for all runs: it can say where."""

    def address(self, component: str, key: str) -> str: ...


class Component(Generic[P, R]):
    """Call it like the function it wraps; reach the bare function as ``.function``."""

    def __init__(
        self,
        function: Callable[Concatenate[Context, P], Awaitable[R]],
        guards: tuple[Guard, ...],
        key: Callable[P, str] | None,
    ) -> None:
        self.function = function
        self.guards = guards
        self.name = function.__name__
        self.returns: TypeAdapter[R] = TypeAdapter(get_type_hints(function)["return"])
        self._key = key or _of_arguments
        update_wrapper(self, function)

    async def __call__(self, context: Context, /, *args: P.args, **kwargs: P.kwargs) -> R:
        async def innermost(_: Call[R]) -> R:
            return await self.function(context, *args, **kwargs)

        run: Callable[[Call[R]], Awaitable[R]] = innermost
        for guard in reversed(self.guards):
            run = _around(run, guard)
        call = Call(
            component=self.name,
            context=context,
            returns=self.returns,
            key=lambda: self.key(*args, **kwargs),
        )
        return await run(call)

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """What a call with these arguments is about."""
        return self._key(*args, **kwargs)

    def address(self, *args: P.args, **kwargs: P.kwargs) -> str | None:
        """Where the result of these arguments is kept for all runs; None if it is not."""
        keeper = next((guard for guard in self.guards if isinstance(guard, Keeps)), None)
        if keeper is None:
            return None
        return keeper.address(self.name, self.key(*args, **kwargs))

    def dump(self, result: R) -> Any:
        """A result as JSON."""
        return self.returns.dump_python(result, mode="json")

    def load(self, value: Any) -> R:
        """What ``dump`` made JSON of. Raises pydantic's ``ValidationError``."""
        return self.returns.validate_python(value)


def component(
    *guards: Guard, key: Callable[..., str] | None = None
) -> Callable[[Callable[Concatenate[Context, P], Awaitable[R]]], Component[P, R]]:
    """Put ``guards`` around an async function whose first argument is the Context.

    ``key`` makes a short text of the arguments; without it, all of them are the key.
    """

    def decorate(function: Callable[Concatenate[Context, P], Awaitable[R]]) -> Component[P, R]:
        return Component(function, guards, key)

    return decorate


def _around(
    proceed: Callable[[Call[R]], Awaitable[R]], guard: Guard
) -> Callable[[Call[R]], Awaitable[R]]:
    async def guarded(call: Call[R]) -> R:
        return await guard(call, proceed)

    return guarded


def _of_arguments(*args: object, **kwargs: object) -> str:
    stated = to_jsonable_python([args, kwargs], bytes_mode="base64")
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()
