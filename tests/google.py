"""Fakes of Google's services whose every answer is held against Google's own description."""

import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from pydantic import SecretStr

from connectors.access import Credential, Grant
from connectors.connector import Spec
from connectors.drive import CONNECTOR as DRIVE
from connectors.drive.config import DriveConfig, PickedConfig
from connectors.drive.crawl import DriveConnector, open_drive
from connectors.drive.fake.server import FakeDrive
from connectors.drive.fake.world import World as Drives
from connectors.fakes.google import serving
from connectors.gmail import CONNECTOR
from connectors.gmail.config import GmailConfig
from connectors.gmail.crawl import GmailConnector, open_gmail
from connectors.gmail.fake.server import FakeGmail
from connectors.gmail.fake.world import World
from connectors.throttle import Clock

UNHURRIED = GmailConfig(units_a_minute=1_000_000_000)
UNHURRIED_DRIVE = DriveConfig(units_a_minute=1_000_000_000)
_KEPT = frozenset({"type", "properties", "items", "enum"})


class Grants:
    """An access with a token, and maybe another one after it."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)

    async def credential(self) -> Credential:
        return Grant(access_token=SecretStr(self.tokens[0]))

    async def renew(self, refused: Credential) -> Credential:  # noqa: ARG002  # in their order
        if len(self.tokens) > 1:
            self.tokens.pop(0)
        return await self.credential()


class Hurried:
    """A clock of somebody who does not wait: it jumps to when the sleeper wanted to wake."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 2, tzinfo=UTC)
        self.slept = 0.0

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.moment += timedelta(seconds=seconds)

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.moment, self.sleep)


@contextmanager
def gmail(world: World, *, checked: bool = True) -> Iterator[str]:
    """Serve a world, and answer its origin. To an answer Google would not give it hangs up."""
    with serving(FakeGmail(world, _check("gmail.v1") if checked else None)) as origin:
        yield origin


@asynccontextmanager
async def opened(
    origin: str,
    *,
    page: int = 500,
    step: int = 100,
    config: GmailConfig = UNHURRIED,
    access: Grants | None = None,
    clock: Clock | None = None,
) -> AsyncGenerator[GmailConnector]:
    held = access or Grants("token")
    async with open_gmail(
        config, held, origin=origin, page=page, step=step, clock=clock or Hurried().clock
    ) as connector:
        yield connector


@contextmanager
def drive(world: Drives, *, checked: bool = True) -> Iterator[str]:
    """Serve drives, and answer their origin. To an answer Google would not give it hangs up."""
    with serving(FakeDrive(world, _check("drive.v3") if checked else None)) as origin:
        yield origin


@asynccontextmanager
async def opened_drive(
    origin: str,
    *,
    page: int = 200,
    config: PickedConfig = UNHURRIED_DRIVE,
    access: Grants | None = None,
    clock: Clock | None = None,
) -> AsyncGenerator[DriveConnector]:
    held = access or Grants("token")
    async with open_drive(
        config, held, origin=origin, page=page, clock=clock or Hurried().clock
    ) as connector:
        yield connector


def drive_spec(origin: str, *, page: int) -> Spec:
    return replace(DRIVE, open=partial(open_drive, origin=origin, page=page, clock=Hurried().clock))


def spec(origin: str, *, page: int, step: int) -> Spec:
    opening = partial(open_gmail, origin=origin, page=page, step=step, clock=Hurried().clock)
    return replace(CONNECTOR, open=opening)


def _check(api: str) -> Callable[[str, object], None]:
    """Raises if Google's discovery document says that an answer is none of its own."""

    def conforms(schema: str, body: object) -> None:
        _validator(api, schema).validate(body)

    return conforms


@cache
def _validator(api: str, schema: str) -> Draft202012Validator:
    page = files("googleapiclient") / f"discovery_cache/documents/{api}.json"
    schemas = json.loads(page.read_text())["schemas"]
    definitions = {name: _converted(each) for name, each in schemas.items()}
    return Draft202012Validator({"$ref": f"#/$defs/{schema}", "$defs": definitions})


def _converted(described: Any) -> Any:
    """Google's dialect as JSON Schema, and nothing beside what it names."""
    if "$ref" in described:
        return {"$ref": f"#/$defs/{described['$ref']}"}
    made = {key: value for key, value in described.items() if key in _KEPT}
    if "items" in made:
        made["items"] = _converted(made["items"])
    if "properties" in made:
        made["properties"] = {key: _converted(each) for key, each in made["properties"].items()}
        made["additionalProperties"] = False
    if described.get("format") in {"int64", "uint64"} and made["type"] == "string":
        made["pattern"] = r"^-?\d+$"
    if described.get("format") == "byte":
        made["pattern"] = r"^[A-Za-z0-9_=-]*$"
    return made
