"""The client for programs that run in an event loop."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

import httpx

from api.accounts import ConnectionView, ConnectorView, ConnectSessionMade, ErasureView
from api.client import calls
from api.client.calls import Call, problem
from api.client.errors import ServerAway, Unavailable
from api.client.following import Following
from api.client.hooks import AsyncWebhooks
from api.client.transport import CUT, GIVE_UP_AFTER_SECONDS, OK, STREAM_TIMEOUT, TIMEOUT
from api.estimates import EstimateView
from api.frames import StreamFrame
from api.fresh import FreshnessView
from api.held import Decided, DeletionView
from api.rollout import DeploymentView
from api.scheduling import ScheduleHistory, ScheduleView
from api.schemas import (
    ArtifactView,
    HitView,
    Page,
    ReadyView,
    ReceiptView,
    RunView,
    Started,
)
from api.tokens import TokenMade

T = TypeVar("T")


class AsyncClient:
    """``Client``, awaited."""

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        patience_seconds: float = GIVE_UP_AFTER_SECONDS,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._patience = patience_seconds
        # A proxy from the environment must not come between us and a server on this machine.
        self._http = httpx.AsyncClient(
            base_url=self.base_url,
            headers=calls.shown(key),
            timeout=TIMEOUT,
            trust_env=False,
        )
        self.webhooks = AsyncWebhooks(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def connectors(self) -> list[ConnectorView]:
        return await self.do(calls.connectors())

    async def connect(
        self,
        kind: str,
        config: Mapping[str, Any],
        *,
        owner: str = "local",
        title: str | None = None,
        credential: Mapping[str, Any] | None = None,
    ) -> ConnectionView:
        """``credential`` as in POST /v1/connections: what opens the account, never answered."""
        call = calls.connect(kind, config, owner=owner, title=title, credential=credential)
        return await self.do(call)

    async def begin_connecting(
        self, *, owner: str = "local", kind: str | None = None
    ) -> ConnectSessionMade:
        """A link to the connect page, for one browser of this owner."""
        return await self.do(calls.begin_connecting(owner=owner, kind=kind))

    def connections(self, *, owner: str | None = None) -> AsyncIterator[ConnectionView]:
        return self.pages(lambda cursor: calls.connections(cursor, owner=owner))

    async def estimate(self, connection_id: UUID | str) -> EstimateView:
        """What ingesting it would come to. Looks at the source, and reads nothing of it."""
        return await self.do(calls.estimate(connection_id))

    async def start(self, connection_id: UUID | str) -> Started:
        """Start ingesting, or join the run that is already at it."""
        return await self.do(calls.start(connection_id))

    def schedules(self) -> AsyncIterator[ScheduleView]:
        return self.pages(calls.schedules)

    async def schedule(self, connection_id: UUID | str) -> ScheduleHistory:
        return await self.do(calls.schedule(connection_id))

    async def put_schedule(
        self, connection_id: UUID | str, wanted: Mapping[str, Any]
    ) -> ScheduleView:
        """``wanted`` as in PUT /v1/connections/ID/schedule: ``cron`` or ``interval_seconds``."""
        return await self.do(calls.put_schedule(connection_id, wanted))

    async def ask_schedule(self, connection_id: UUID | str, what: str) -> ScheduleView:
        """``pause`` or ``resume``."""
        return await self.do(calls.ask_schedule(connection_id, what))

    async def delete_schedule(self, connection_id: UUID | str) -> None:
        await self.do(calls.delete_schedule(connection_id))

    def deletions(self) -> AsyncIterator[DeletionView]:
        """What may be gone from its source, and waits for a decision."""
        return self.pages(calls.deletions)

    async def decide_deletion(self, deletion_id: UUID | str, what: str) -> Decided:
        """``approve`` or ``decline``."""
        return await self.do(calls.decide_deletion(deletion_id, what))

    async def erase(self, connection_id: UUID | str) -> ErasureView:
        """Disconnect for good: revoke the grant, and erase every byte of the connection."""
        return await self.do(calls.erase(connection_id))

    async def erasure(self, erasure_id: UUID | str) -> ErasureView:
        """How far it is; at last its receipt."""
        return await self.do(calls.erasure(erasure_id))

    async def export(self, owner: str) -> AsyncIterator[dict[str, Any]]:
        """All that is held about an owner, a line each. The last one's ``type`` is ``end``."""
        try:
            async with self._http.stream("GET", calls.EXPORT, params={"owner": owner}) as answer:
                if answer.status_code != OK:
                    raise problem(answer.status_code, await answer.aread())
                async for line in answer.aiter_lines():
                    yield json.loads(line)
        except httpx.TransportError as error:
            raise ServerAway(self.base_url, str(error) or type(error).__name__) from error

    async def freshness(self, connection_id: UUID | str) -> FreshnessView:
        return await self.do(calls.freshness(connection_id))

    async def run(self, run_id: UUID | str) -> RunView:
        return await self.do(calls.run(run_id))

    def runs(
        self, *, connection_id: UUID | str | None = None, status: str | None = None
    ) -> AsyncIterator[RunView]:
        """The runs, newest first."""
        return self.pages(
            lambda cursor: calls.runs(cursor, connection_id=connection_id, status=status)
        )

    async def follow(
        self, run_id: UUID | str, cursor: int | None = None
    ) -> AsyncIterator[StreamFrame]:
        """Every frame until the run ends, across restarts of the server and lost connections."""
        place = Following(run_id, cursor)
        heard_at = time.monotonic()
        while not place.ended:
            try:
                async for frame in self._listen(place):
                    heard_at = time.monotonic()
                    yield frame
            except (httpx.TransportError, Unavailable) as error:
                if time.monotonic() - heard_at > self._patience:
                    raise ServerAway(self.base_url, str(error)) from error
            if not place.ended:
                await asyncio.sleep(place.wait_seconds())

    async def cancel(self, run_id: UUID | str) -> RunView:
        """Stop it for good. What was indexed is kept."""
        return await self.do(calls.ask(run_id, "cancel"))

    async def pause(self, run_id: UUID | str) -> RunView:
        return await self.do(calls.ask(run_id, "pause"))

    async def resume(self, run_id: UUID | str) -> RunView:
        return await self.do(calls.ask(run_id, "resume"))

    async def answer(self, run_id: UUID | str, question: str, given: Mapping[str, Any]) -> RunView:
        """Answer what the run waits for: its ``reason.question`` names it and says how."""
        return await self.do(calls.answer(run_id, question, given))

    async def retry_failed(self, run_id: UUID | str) -> Started:
        """A new run of what is failed in the connection of this one."""
        return await self.do(calls.retry_failed(run_id))

    async def deployment(self) -> DeploymentView:
        return await self.do(calls.deployment())

    async def activate(self, version: str, *, force: bool = False) -> DeploymentView:
        """Give every run to this version of the workers."""
        return await self.do(calls.deploy(activate=version, force=force))

    async def ramp(self, version: str, percent: int, *, force: bool = False) -> DeploymentView:
        """Give this version a share of the runs; 0 takes it back."""
        share = {"version": version, "percent": percent}
        return await self.do(calls.deploy(ramp=share, force=force))

    def artifacts(
        self, run_id: UUID | str, status: str | None = None
    ) -> AsyncIterator[ArtifactView]:
        return self.pages(lambda cursor: calls.artifacts(run_id, cursor, status=status))

    async def artifact(self, artifact_id: int) -> ArtifactView:
        return await self.do(calls.artifact(artifact_id))

    async def receipt(self, run_id: UUID | str) -> ReceiptView:
        return await self.do(calls.receipt(run_id))

    async def search(
        self, q: str, limit: int = 10, connection_id: UUID | str | None = None
    ) -> list[HitView]:
        return await self.do(calls.search(q, limit=limit, connection_id=connection_id))

    async def client_token(
        self,
        *,
        owner: str | None,
        scopes: Collection[str],
        origin: str,
        run_ids: Collection[UUID | str] | None = None,
    ) -> TokenMade:
        """What a page of this origin asks with for fifteen minutes, instead of the key."""
        runs = None if run_ids is None else sorted(map(str, run_ids))
        call = calls.client_token(owner=owner, scopes=sorted(scopes), origin=origin, run_ids=runs)
        return await self.do(call)

    async def ready(self) -> ReadyView:
        """What the server says of itself; also when it is not ready."""
        return await self.do(calls.ready())

    async def _listen(self, place: Following) -> AsyncIterator[StreamFrame]:
        """One connection's worth of frames."""
        request = self._http.build_request(
            "GET", place.path, headers=place.headers, timeout=STREAM_TIMEOUT
        )
        response = await self._http.send(request, stream=True)
        try:
            if response.status_code != OK:
                place.refused(response.status_code, await response.aread())
                return
            async for line in response.aiter_lines():
                frame = place.take(line)
                if frame is not None:
                    yield frame
        finally:
            await response.aclose()

    async def pages(self, page: Callable[[str | None], Call[Page[T]]]) -> AsyncIterator[T]:
        answer = await self.do(page(None))
        for item in answer.items:
            yield item
        while answer.next_cursor is not None:
            answer = await self.do(page(answer.next_cursor))
            for item in answer.items:
                yield item

    async def do(self, call: Call[T]) -> T:
        try:
            return call.answer(await self._send(call))
        except httpx.TransportError as error:
            raise ServerAway(self.base_url, str(error) or type(error).__name__) from error

    async def _send(self, call: Call[T]) -> httpx.Response:
        request = partial(
            self._http.request,
            call.method,
            call.path,
            params=call.params,
            json=call.body,
            headers=call.headers,
        )
        try:
            return await request()
        except CUT:
            if not call.repeatable:
                raise
            return await request()
