"""Everything on one machine: in what order it starts, and in what order it ends.

Redis, the schema, the api and the Prefect server come at once; the worker when requests are
answered, so that it does not take their time. Prefect takes longest by far and is needed last: a
run that is asked for meanwhile is queued, and starts when Prefect and the worker are ready.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Self

import httpx

from api.attaching import StackSettings
from api.parts import LOOPBACK, Workplace, address, free_port
from api.supervisor import Supervisor
from storage import embedded, schema
from storage.datadir import DataDirectory
from storage.errors import SetupError

START_WITHIN_SECONDS = 60.0


class Stack:
    """The processes of a data directory that we hold. ``tell`` gets a sentence when one dies."""

    def __init__(
        self,
        settings: StackSettings,
        directory: DataDirectory,
        *,
        environment: Mapping[str, str],
        host: str = LOOPBACK,
        port: int = 0,
        tell: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._host, self._port = host, port or free_port()
        self._answers = False
        self._supervisor = Supervisor(tell, spawned=self._announce)
        self._http = httpx.AsyncClient(trust_env=False, timeout=2.0)
        self._workplace = Workplace(home=settings.home, environment=environment, http=self._http)
        given = settings.prefect_api_url
        self._own_prefect = given is None
        self._prefect_url = (
            given.get_secret_value() if given else f"{address(LOOPBACK, free_port())}/api"
        )

    @property
    def url(self) -> str:
        return address(self._host, self._port)

    @property
    def pids(self) -> Mapping[str, int]:
        return self._supervisor.pids

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Return when requests are answered. The worker and Prefect are on their way then."""
        if self._own_prefect:
            self._supervisor.start(self._workplace.prefect(self._prefect_url))
        redis_url = await self._serve()
        self._supervisor.start(self._workplace.worker(redis_url, prefect_url=self._prefect_url))
        self._answers = True
        self._announce()

    async def start_reading(self) -> None:
        """Only what can tell what is there; nothing that would go on with a run."""
        await self._serve()

    async def ready(self) -> None:
        """Return when a run that is asked for starts at once. Raises ``PartFailed``."""
        if self._own_prefect:
            await self._supervisor.ready("prefect")
        await self._supervisor.ready("worker")

    async def failed(self) -> None:
        """Wait until a part is given up, and raise its ``PartFailed``."""
        await self._supervisor.failed()

    def kill(self) -> None:
        self._supervisor.kill()

    async def close(self) -> None:
        """The worker goes first: to hand its runs over, it needs the others."""
        await self._supervisor.stop("worker")
        await self._supervisor.stop("api", "prefect")
        await self._supervisor.stop("redis")
        await self._http.aclose()

    async def _serve(self) -> str:
        redis_url = self._redis()
        # It takes its time to start, and needs neither Redis nor the schema for that.
        self._supervisor.start(self._workplace.api(redis_url, host=self._host, port=self._port))
        await schema.upgrade(self._settings.sql_url())
        if self._settings.redis_url is None:
            await self._answering("redis")
        await self._answering("api")
        return redis_url

    def _redis(self) -> str:
        if self._settings.redis_url is not None:
            return self._settings.redis_url.get_secret_value()
        server = embedded.prepare(self._settings.home)
        self._supervisor.start(self._workplace.redis(server))
        return server.url

    async def _answering(self, name: str) -> None:
        try:
            async with asyncio.timeout(START_WITHIN_SECONDS):
                await self._supervisor.ready(name)
        except TimeoutError:
            raise SetupError(
                f"The {name} does not answer after {START_WITHIN_SECONDS:.0f} s.",
                action=f"Look at {self._settings.home / 'logs' / name}.log.",
            ) from None

    def _announce(self) -> None:
        url = self.url if self._answers else None
        self._directory.announce(api_url=url, pids=self.pids)
