"""What each route needs of who asks. A route that does not say it is not served.

In a route's declaration: ``dependencies=[needs(Scope.RUNS_READ)]``; or, for what anybody may have,
``dependencies=[open_to_all("why")]``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute

from api import belonging
from api.knocking import identify, require
from api.services import Services
from storage.scopes import Scope


@dataclass(frozen=True, slots=True)
class Needs:
    """``stream``: browsers open it by themselves, without headers, and so with a ticket."""

    scope: Scope
    stream: bool = False

    async def __call__(self, request: Request) -> None:
        services: Services = request.app.state.services
        caller = await identify(request, services, stream=self.stream)
        if caller.key is not None:
            request.state.seat = services.quotas.admit(caller.tenant, stream=self.stream)
        require(caller, self.scope)
        within = services.database.within(caller.tenant)
        await belonging.check(within, caller, request.path_params)
        request.state.caller = caller


@dataclass(frozen=True, slots=True)
class OpenToAll:
    why: str

    async def __call__(self) -> None:
        return


class Undeclared(Exception):
    """A route that nobody could say of who may use it: a mistake in the program."""


def needs(scope: Scope, *, stream: bool = False) -> Any:
    return Depends(Needs(scope, stream))


def open_to_all(why: str) -> Any:
    return Depends(OpenToAll(why))


def declared(routers: Iterable[APIRouter]) -> Iterator[tuple[APIRoute, Needs | OpenToAll]]:
    """Every route with what it needs. Raises ``Undeclared``."""
    for router in routers:
        for route in router.routes:
            if not isinstance(route, APIRoute):
                raise Undeclared(f"{route} is no route that can say what it needs.")
            yield route, _declaration(route)


def _declaration(route: APIRoute) -> Needs | OpenToAll:
    said = [each.call for each in route.dependant.dependencies]
    found = [each for each in said if isinstance(each, Needs | OpenToAll)]
    where = f"{'/'.join(sorted(route.methods or ()))} {route.path}"
    if len(found) != 1:
        raise Undeclared(
            f"{where} says {len(found)} times what it needs: "
            "give it one of dependencies=[needs(...)] and dependencies=[open_to_all(...)]."
        )
    named = set(route.param_convertors)
    strange = named - set(belonging.OWNERS) - belonging.NEUTRAL
    if isinstance(found[0], Needs) and strange:
        raise Undeclared(f"{where}: api.belonging does not know whose {sorted(strange)} are.")
    return found[0]
