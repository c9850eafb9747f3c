"""The app: routes, problems and the edge, around services that are opened with it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from api import handlers
from api.document import describe
from api.edge import LOOPBACK, Edge
from api.routes import (
    artifacts,
    connecting,
    connections,
    consent,
    console,
    deletions,
    deployment,
    document,
    erasures,
    events,
    freshness,
    health,
    money,
    output,
    profiles,
    runs,
    schedules,
    search,
    sessions,
    wishes,
    workflows,
)
from api.services import Services

ROOMS = (
    *(connections, profiles, runs, wishes, money, events, artifacts, search),
    *(schedules, deletions, erasures, freshness),
    *(workflows, output),
    *(sessions, consent, connecting),
    *(deployment, document, health, console),
)

Opener = Callable[[], AbstractAsyncContextManager[Services]]


def create_app(opener: Opener, *, hosts: frozenset[str] = LOOPBACK) -> FastAPI:
    """An app that opens its services when it starts and closes them when it stops."""

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
    app.add_middleware(Edge, hosts=hosts)
    handlers.install(app)
    for room in ROOMS:
        app.include_router(room.router)
    describe(app)
    return app
