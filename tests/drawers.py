"""A source with owners: notes in drawers, which only a grant of the fake provider opens.

It is installed as a package of its own would be, so that the api and a worker find it. The provider
is at ``DRAWERS_URL``, which tells who a token belongs to.
"""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import BaseModel, ConfigDict, SecretStr

from connectors.access import (
    Access,
    Consent,
    Credential,
    CredentialKind,
    Grant,
    Permission,
    Token,
)
from connectors.artifact import PartitionKey, Ref
from connectors.connector import Account, Fetched, Partition, Plan, Probe, Scope, Spec
from connectors.errors import Cause, ConnectorError, ReauthorizationNeeded, SourceUnavailable
from connectors.events import CensusEvent, Cursor, Event
from connectors.memory import MemoryConnector, MemoryCursor, Notes

KIND = "drawers"
NEEDED, WELCOME = "notes.read", "labels.read"
DRAWERS: Mapping[PartitionKey, Notes] = {
    PartitionKey(drawer): Notes({
        f"{drawer}/{number}": f"Note {number} in the drawer of {drawer}.".encode()
        for number in range(amount)
    })
    for drawer, amount in (("letters", 12), ("recipes", 5))
}  # fmt: skip


class DrawersConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    drawers: tuple[str, ...] = ()


@dataclass(slots=True)
class Drawers:
    config: DrawersConfig
    access: Access

    async def check(self) -> Sequence[Probe]:
        try:
            account = await self.account()
        except ConnectorError as error:
            return [Probe("key", well=False, detail=str(error), action=error.action)]
        return [Probe("key", well=True, detail=f"the drawers of {account.name}")]

    async def account(self) -> Account:
        credential = await self.access.credential()
        found = await _owner(credential) or await _owner(await self.access.renew(credential))
        if found is None:
            raise ReauthorizationNeeded(Cause.REVOKED, "Drawers")
        return found

    async def discover(self) -> AsyncIterator[Scope]:
        await self.account()
        for key, notes in DRAWERS.items():
            yield Scope(key, f"Drawer of {key}", "unlocked", len(notes.notes), 1_000)

    async def plan(self) -> Plan:
        await self.account()
        keys = [key for key in DRAWERS if not self.config.drawers or key in self.config.drawers]
        parts = [Partition(key, key, len(DRAWERS[key].notes), 1_000) for key in keys]
        return Plan(tuple(parts), calls=len(parts))

    async def read(self, partition: PartitionKey, cursor: Cursor | None) -> AsyncIterator[Event]:
        await self.account()
        async for event in MemoryConnector(DRAWERS[partition]).read(partition, cursor):
            yield event

    async def census(self, partition: PartitionKey) -> AsyncIterator[CensusEvent]:
        await self.account()
        async for event in MemoryConnector(DRAWERS[partition]).census(partition):
            yield event

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        await self.account()
        fetched: dict[Ref, Fetched] = {}
        for ref in refs:
            fetched |= await MemoryConnector(DRAWERS[ref.partition]).fetch([ref])
        return fetched


async def _owner(credential: Credential) -> Account | None:
    match credential:
        case Grant(access_token=secret) | Token(token=secret):
            pass
        case _:
            raise ReauthorizationNeeded(Cause.MISSING, "Drawers")
    return await _ask(secret)


async def _ask(secret: SecretStr) -> Account | None:
    headers = {"Authorization": f"Bearer {secret.get_secret_value()}"}
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{os.environ['DRAWERS_URL']}/account", headers=headers)
    except httpx.HTTPError as error:
        raise SourceUnavailable("The drawers are stuck") from error
    return Account(answer.json()["id"], answer.json()["name"]) if answer.is_success else None


@asynccontextmanager
async def open_drawers(config: DrawersConfig, access: Access) -> AsyncGenerator[Drawers]:
    yield Drawers(config, access)


def _narrow(config: DrawersConfig, chosen: Sequence[PartitionKey]) -> DrawersConfig:
    return config.model_copy(update={"drawers": tuple(sorted(chosen))})


CONNECTOR = Spec(
    kind=KIND,
    title="Drawers",
    description="Notes that belong to somebody.",
    config=DrawersConfig,
    cursor=MemoryCursor,
    open=open_drawers,
    credentials=frozenset({CredentialKind.OAUTH, CredentialKind.TOKEN}),
    consent=Consent(
        "fake",
        (
            Permission(NEEDED, "Read the notes in your drawers"),
            Permission(WELCOME, "See how you labelled them", required=False),
        ),
    ),
    narrow=_narrow,
    locate=lambda text: {"drawers": [text]} if text in DRAWERS else None,
)


def install(folder: Path) -> Path:
    """Make a package of it in the folder, for ``sys.path`` or ``PYTHONPATH``."""
    package = folder / "headwater_drawers-1.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: headwater-drawers\nVersion: 1\n"
    )
    points = f"[headwater.connectors]\n{KIND} = tests.drawers:CONNECTOR\n"
    (package / "entry_points.txt").write_text(points)
    return folder


def environment(url: str, *, secret: str) -> dict[str, str]:
    """What an operator sets to use the fake provider at ``url``."""
    return {
        "DRAWERS_URL": url,
        "HEADWATER_OAUTH__FAKE__CLIENT_ID": "headwater",
        "HEADWATER_OAUTH__FAKE__CLIENT_SECRET": secret,
        "HEADWATER_OAUTH__FAKE__AUTHORIZE_URL": f"{url}/authorize",
        "HEADWATER_OAUTH__FAKE__TOKEN_URL": f"{url}/token",
        "HEADWATER_OAUTH__FAKE__REVOKE_URL": f"{url}/revoke",
        "HEADWATER_OAUTH__FAKE__ISSUER": url,
    }
