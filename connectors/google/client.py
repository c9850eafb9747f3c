"""Google's own client, one a thread, which bears our tokens and goes nowhere else."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import httplib2  # type: ignore[import-untyped]  # no types in it
import httpx
from googleapiclient.discovery import build  # type: ignore[import-untyped]  # no types in it
from googleapiclient.errors import HttpError  # type: ignore[import-untyped]  # no types in it
from googleapiclient.http import (  # type: ignore[import-untyped]  # no types in it
    BatchHttpRequest,
    HttpRequest,
)

from connectors import egress
from connectors.errors import ConnectorError
from connectors.google.refusals import Answer, Api, Unsigned, answered, translated

R = TypeVar("R")
_TIMEOUT_SECONDS = 60


class Ask(Protocol):
    """Makes a request out of Google's client for a service."""

    def __call__(self, service: Any) -> HttpRequest: ...


@dataclass(frozen=True, slots=True)
class Question:
    """``cost`` is in the service's quota units."""

    cost: int
    ask: Ask


class Clients:
    """One client a thread: what it speaks HTTP with may not be shared by them."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._exceptions = egress.allowed()
        self._threads = ThreadPoolExecutor(api.threads, api.name)
        self._mine = threading.local()
        self._all: list[Client] = []

    async def run(self, token: str, work: "Callable[[Client], R]") -> R:
        def signed() -> R:
            client = self._client()
            client.http.token = token
            return work(client)

        return await asyncio.get_running_loop().run_in_executor(self._threads, signed)

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        for client in self._all:
            client.http.close()

    def _client(self) -> "Client":
        client: Client | None = getattr(self._mine, "client", None)
        if client is None:
            client = self._mine.client = Client.of(self._api, self._exceptions)
            self._all.append(client)
        return client


@dataclass(frozen=True, slots=True)
class Client:
    api: Api
    http: "_Signed"
    service: Any

    @classmethod
    def of(cls, api: Api, exceptions: egress.Exceptions) -> "Client":
        http = _Signed(exceptions)
        options = {"api_endpoint": api.origin + api.path}
        service = build(
            api.name, api.version, http=http, static_discovery=True, client_options=options
        )
        return cls(api, http, service)

    def together(
        self, questions: Mapping[str, Question], keys: Sequence[str]
    ) -> dict[str, Answer | ConnectorError]:
        """In one request. A single question is asked as it is: a batch of one is only longer."""
        asked = {key: questions[key].ask(self.service) for key in keys}
        got = self._alone(asked) if len(asked) == 1 else self._batched(asked)
        if any(isinstance(each, Unsigned) for each in got.values()):
            raise Unsigned
        return got

    def _alone(self, asked: Mapping[str, Any]) -> dict[str, Answer | ConnectorError]:
        [(key, request)] = asked.items()
        try:
            return {key: answered(self.api, request.execute(num_retries=0))}
        except HttpError as error:
            return {key: translated(self.api, error)}

    def _batched(self, asked: Mapping[str, Any]) -> dict[str, Answer | ConnectorError]:
        got: dict[str, Answer | ConnectorError] = {}

        def take(key: str, answer: Answer, error: HttpError | None) -> None:
            got[key] = answered(self.api, answer) if error is None else translated(self.api, error)

        # The batch would go to Google wherever else the API is, if it were not told.
        batch = BatchHttpRequest(
            take, batch_uri=f"{self.api.origin}/batch/{self.api.name}/{self.api.version}"
        )
        for key, request in asked.items():
            batch.add(request, request_id=key)
        batch.execute(http=self.http)
        return got


class _Signed:
    """What Google's client speaks HTTP with, as httplib2 would: by no proxy but the operator's.

    Bears the token on every request, and follows no redirect with it.
    """

    token = ""

    def __init__(self, exceptions: egress.Exceptions) -> None:
        self._client = httpx.Client(
            proxy=exceptions.proxy,
            verify=exceptions.web_trust,
            trust_env=False,
            timeout=_TIMEOUT_SECONDS,
        )

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        **_: Any,
    ) -> tuple[httplib2.Response, bytes]:
        signed = {**(headers or {}), "authorization": f"Bearer {self.token}"}
        answer = self._client.request(method, uri, content=body, headers=signed)
        told = httplib2.Response({**answer.headers, "status": str(answer.status_code)})
        told.reason = answer.reason_phrase
        return told, answer.content

    def close(self) -> None:
        self._client.close()
