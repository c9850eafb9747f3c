"""Each call of the api as a value: what to send, and how to read the answer. No I/O here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

import httpx
from pydantic import TypeAdapter, ValidationError

from api.accounts import ConnectionView, ConnectorView, ConnectSessionMade, ErasureView
from api.client.errors import Refusal, Said, refusal
from api.estimates import EstimateView
from api.fresh import FreshnessView
from api.held import Decided, DeletionView
from api.rollout import DeploymentView
from api.scheduling import ScheduleHistory, ScheduleView
from api.schemas import (
    ArtifactView,
    Hits,
    HitView,
    Page,
    ReadyView,
    ReceiptView,
    RunView,
    Started,
)
from api.tokens import TokenMade

T = TypeVar("T")
PROBLEM = "application/problem+json"


EXPORT = "/v1/export"


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """``also`` are statuses of failure whose body is an answer all the same.

    Most may be sent again after a lost answer: they change nothing, or carry their idempotency key.
    """

    method: str
    path: str
    read: Callable[[bytes], T]
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    also: frozenset[int] = frozenset()
    repeatable: bool = True

    def answer(self, response: httpx.Response) -> T:
        if response.is_success or response.status_code in self.also:
            return self.read(response.content)
        raise problem(response.status_code, response.content)


def shown(key: str | None) -> Mapping[str, str]:
    """What tells the api who calls: a key, or a client token."""
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def connectors() -> Call[list[ConnectorView]]:
    return Call(
        "GET", "/v1/connectors", lambda body: Page[ConnectorView].model_validate_json(body).items
    )


def connect(
    kind: str,
    config: Mapping[str, Any],
    *,
    owner: str,
    title: str | None,
    credential: Mapping[str, Any] | None,
) -> Call[ConnectionView]:
    body = {"kind": kind, "config": dict(config), "owner": owner, "title": title}
    if credential is not None:
        body["credential"] = dict(credential)
    return Call("POST", "/v1/connections", reader(ConnectionView), body=body, headers=once())


def connections(cursor: str | None, *, owner: str | None) -> Call[Page[ConnectionView]]:
    params = query(cursor=cursor, owner=owner)
    return Call("GET", "/v1/connections", reader(Page[ConnectionView]), params)


def begin_connecting(**wanted: object) -> Call[ConnectSessionMade]:
    path = "/v1/connect-sessions"
    return Call("POST", path, reader(ConnectSessionMade), body=wanted, headers=once())


def estimate(connection_id: UUID | str) -> Call[EstimateView]:
    return Call("POST", f"/v1/connections/{connection_id}/estimate", reader(EstimateView))


def start(connection_id: UUID | str) -> Call[Started]:
    path = f"/v1/connections/{connection_id}/runs"
    return Call("POST", path, reader(Started), headers=once())


def schedules(cursor: str | None) -> Call[Page[ScheduleView]]:
    return Call("GET", "/v1/schedules", reader(Page[ScheduleView]), query(cursor=cursor, limit=200))


def schedule(connection_id: UUID | str) -> Call[ScheduleHistory]:
    path = f"/v1/connections/{connection_id}/schedule"
    return Call("GET", path, reader(ScheduleHistory))


def put_schedule(connection_id: UUID | str, wanted: Mapping[str, Any]) -> Call[ScheduleView]:
    path = f"/v1/connections/{connection_id}/schedule"
    return Call("PUT", path, reader(ScheduleView), body=wanted)


def ask_schedule(connection_id: UUID | str, what: str) -> Call[ScheduleView]:
    path = f"/v1/connections/{connection_id}/schedule/{what}"
    return Call("POST", path, reader(ScheduleView), headers=once())


def delete_schedule(connection_id: UUID | str) -> Call[None]:
    return Call("DELETE", f"/v1/connections/{connection_id}/schedule", lambda _: None)


def deletions(cursor: str | None) -> Call[Page[DeletionView]]:
    params = query(cursor=cursor, limit=200)
    return Call("GET", "/v1/deletions", reader(Page[DeletionView]), params)


def decide_deletion(deletion_id: UUID | str, what: str) -> Call[Decided]:
    path = f"/v1/deletions/{deletion_id}/{what}"
    return Call("POST", path, reader(Decided), headers=once())


def erase(connection_id: UUID | str) -> Call[ErasureView]:
    return Call("DELETE", f"/v1/connections/{connection_id}", reader(ErasureView))


def erasure(erasure_id: UUID | str) -> Call[ErasureView]:
    return Call("GET", f"/v1/erasures/{erasure_id}", reader(ErasureView))


def freshness(connection_id: UUID | str) -> Call[FreshnessView]:
    return Call("GET", f"/v1/connections/{connection_id}/freshness", reader(FreshnessView))


def run(run_id: UUID | str) -> Call[RunView]:
    return Call("GET", f"/v1/runs/{run_id}", reader(RunView))


def ask(run_id: UUID | str, what: str) -> Call[RunView]:
    return Call("POST", f"/v1/runs/{run_id}/{what}", reader(RunView), headers=once())


def answer(run_id: UUID | str, question: str, given: Mapping[str, Any]) -> Call[RunView]:
    body = {"question": question, "answer": dict(given)}
    path = f"/v1/runs/{run_id}/input"
    return Call("POST", path, reader(RunView), body=body, headers=once())


def retry_failed(run_id: UUID | str) -> Call[Started]:
    path = f"/v1/runs/{run_id}/retry-failed"
    return Call("POST", path, reader(Started), headers=once())


def deployment() -> Call[DeploymentView]:
    return Call("GET", "/v1/deployment", reader(DeploymentView))


def deploy(**change: object) -> Call[DeploymentView]:
    path = "/v1/deployment"
    return Call("POST", path, reader(DeploymentView), body=change, headers=once())


def runs(
    cursor: str | None, *, connection_id: UUID | str | None, status: str | None
) -> Call[Page[RunView]]:
    params = query(cursor=cursor, connection_id=connection_id, status=status)
    return Call("GET", "/v1/runs", reader(Page[RunView]), params)


def artifacts(
    run_id: UUID | str, cursor: str | None, *, status: str | None
) -> Call[Page[ArtifactView]]:
    params = query(cursor=cursor, status=status, limit=200)
    return Call("GET", f"/v1/runs/{run_id}/artifacts", reader(Page[ArtifactView]), params)


def artifact(artifact_id: int) -> Call[ArtifactView]:
    return Call("GET", f"/v1/artifacts/{artifact_id}", reader(ArtifactView))


def receipt(run_id: UUID | str) -> Call[ReceiptView]:
    return Call("GET", f"/v1/runs/{run_id}/receipt", reader(ReceiptView))


def search(q: str, *, limit: int, connection_id: UUID | str | None) -> Call[list[HitView]]:
    params = query(q=q, limit=limit, connection_id=connection_id)
    return Call("GET", "/v1/search", lambda body: Hits.model_validate_json(body).items, params)


def client_token(**wanted: object) -> Call[TokenMade]:
    return Call("POST", "/v1/client-tokens", reader(TokenMade), body=wanted)


def ready() -> Call[ReadyView]:
    return Call("GET", "/readyz", reader(ReadyView), also=frozenset({503}))


def problem(status: int, body: bytes) -> Refusal:
    """The error an answer tells of, even when it is not ours but a proxy's."""
    try:
        said = TypeAdapter(Said).validate_json(body)
    except ValidationError:
        said = Said(status=status, code="foreign", title="", detail=f"HTTP status {status}")
    return refusal(said)


def reader(model: type[T]) -> Callable[[bytes], T]:
    return TypeAdapter(model).validate_json


def once() -> Mapping[str, str]:
    # One key a call: when the transport repeats it after a lost answer, it is still done once.
    return {"Idempotency-Key": str(uuid4())}


def query(**params: object) -> Mapping[str, str]:
    return {name: str(value) for name, value in params.items() if value is not None}
