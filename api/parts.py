"""The processes of the stack: how each is started, and how one knows that it is ready."""

import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx

from api.logfile import says, size
from api.supervisor import Part
from storage.embedded import EmbeddedRedis
from storage.errors import SetupError

LOOPBACK = "127.0.0.1"
DRAIN_WITHIN = timedelta(seconds=30)  # the worker gives itself 25 s
PREFECT: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    # Both cost seconds at each start, and nothing of ours needs them.
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    # It only shows what was, and each attempt leaves some rows there: they go after a week.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "604800",
}
"""How the embedded Prefect server runs, unless the environment says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What all parts share: the data directory, and the environment they are started in."""

    home: Path
    environment: Mapping[str, str]
    http: httpx.AsyncClient

    def redis(self, server: EmbeddedRedis) -> Part:
        return Part(
            name="redis",
            command=server.command,
            environment=self.environment,
            log=server.log,
            ready=server.answers,
        )

    def api(self, redis_url: str, *, host: str, port: int) -> Part:
        return self._python(
            "api",
            "api",
            given={**self._ours(redis_url), "HEADWATER_HOST": host, "HEADWATER_PORT": str(port)},
            ready=self._answering(f"{address(host, port)}/readyz"),
        )

    def prefect(self, url: str) -> Part:
        place = httpx.URL(url)
        return self._python(
            "prefect",
            *("prefect", "server", "start", "--host", place.host, "--port", str(place.port)),
            given={"PREFECT_HOME": str(self.home / "prefect")},
            ready=self._answering(f"{url}/health"),
        )

    def worker(self, redis_url: str, *, prefect_url: str) -> Part:
        part = self._python(
            "worker",
            "pipelines.worker",
            given={
                **self._ours(redis_url),
                "PREFECT_API_URL": prefect_url,
                "PREFECT_HOME": str(self.home / "prefect"),
            },
            ready=self._saying("worker", b'"worker.ready"'),
            stop_within=DRAIN_WITHIN,
        )
        return replace(part, heir="HEADWATER_WORKER_PREDECESSOR")

    def _python(
        self,
        name: str,
        *module: str,
        given: Mapping[str, str],
        ready: Callable[[], Awaitable[bool]],
        stop_within: timedelta = timedelta(seconds=10),
    ) -> Part:
        return Part(
            name=name,
            # -P: the user's folder, in which we were started, may hold an `api` of its own.
            command=(sys.executable, "-P", "-m", *module),
            environment={**PREFECT, **self.environment, **given, "NO_COLOR": "1"},
            log=self._log(name),
            ready=ready,
            stop_within=stop_within,
        )

    def _ours(self, redis_url: str) -> Mapping[str, str]:
        return {"HEADWATER_DATA_DIR": str(self.home), "HEADWATER_REDIS_URL": redis_url}

    def _log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def _saying(self, name: str, words: bytes) -> Callable[[], Awaitable[bool]]:
        """A part that cannot be asked: it says in its log when it is ready."""
        log = self._log(name)
        began = size(log)

        async def said() -> bool:
            return says(log, words, after=began)

        return said

    def _answering(self, url: str) -> Callable[[], Awaitable[bool]]:
        async def answers() -> bool:
            try:
                return (await self.http.get(url)).is_success
            except httpx.HTTPError:
                return False

        return answers


def address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def require_free(host: str, port: int) -> None:
    """Raise ``SetupError`` if nobody can listen there."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, place in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as uvicorn does
                probe.bind(place)
    except socket.gaierror as error:
        raise SetupError(
            f"Host {host!r} is not an address of this machine.",
            action="Try --host 127.0.0.1.",
        ) from error
    except OSError as error:
        raise SetupError(
            f"Port {port} on {host} cannot be used: {(error.strerror or str(error)).lower()}.",
            action="Stop what listens there, or choose another one with --port.",
        ) from error
