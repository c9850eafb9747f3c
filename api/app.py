"""The app: routes, problems and the edge, around services that are opened with it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from api import handlers
from api.document import describe
from api.edge import AT_ONCE, LOOPBACK, Edge
from api.needs import Needs, declared
from api.routes import (
    answering,
    artifacts,
    connecting,
    connections,
    consent,
    console,
    deletions,
    deliveries,
    deployment,
    document,
    erasures,
    estimates,
    events,
    exports,
    freshness,
    health,
    hints,
    keys,
    money,
    output,
    owners,
    profiles,
    runs,
    schedules,
    search,
    sessions,
    tokens,
    webhooks,
    wishes,
    workflows,
)
from api.services import Services

ROOMS = (
    *(connections, estimates, profiles, runs, wishes, money, events, artifacts, search),
    *(schedules, hints, deletions, erasures, exports, freshness, webhooks, deliveries),
    *(workflows, answering, output, owners),
    *(sessions, consent, connecting, tokens, keys),
    *(deployment, document, health, console),
)

Opener = Callable[[], AbstractAsyncContextManager[Services]]


def create_app(
    opener: Opener,
    *,
    hosts: frozenset[str] = LOOPBACK,
    origins: frozenset[str] = frozenset(),
    at_once: int = AT_ONCE,
) -> FastAPI:
    """An app that opens its services when it starts and closes them when it stops.

    It answers for ``hosts``, and to pages of other ``origins`` that show a token; and works on
    ``at_once`` requests.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with opener() as services:
            app.state.services = services
            yield

    app = FastAPI(
        title="Headwater",
        lifespan=lifespan,
        docs_url=None,  # its page loads from elsewhere; docs/openapi.json is there for tools
        redoc_url=None,
        openapi_url=None,  # served by a room of its own, with the workflows there are
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.add_middleware(Edge, hosts=hosts, origins=origins, at_once=at_once)
    handlers.install(app)
    scopes = {
        route.operation_id: need.scope
        for route, need in declared(room.router for room in ROOMS)
        if isinstance(need, Needs) and route.operation_id
    }
    for room in ROOMS:
        app.include_router(room.router)
    describe(app, scopes)
    return app
