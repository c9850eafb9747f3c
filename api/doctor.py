"""What this installation needs, what of it is well, and what to do about the rest."""

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version

import httpx

from api.attaching import StackSettings
from storage import complaints, datadir, fences, schema, workers
from storage.clock import now, shared_now
from storage.database import open_database
from storage.errors import StorageError
from storage.servers import find_server
from storage.settings import DATABASE_FILE
from storage.streams.traits import traits

OLDEST_PYTHON = (3, 11)
OLDEST_GIT = (2, 20)


class Grade(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that Headwater needs. ``action`` says what to do when it is not well."""

    name: str
    grade: Grade
    detail: str
    action: str | None = None

    def __str__(self) -> str:
        return f"{self.detail.rstrip('.')}. {self.action or ''}".rstrip()


async def examine(settings: StackSettings) -> AsyncIterator[Check]:
    """Look at one thing after the other; nothing has to run for it."""
    yield _python()
    yield _git()
    for look in CHECKS:
        try:
            yield await look(settings)
        except StorageError as error:
            yield Check(look.__name__.strip("_"), Grade.FAIL, str(error), error.action)


async def absent(settings: StackSettings) -> AsyncIterator[Check]:
    """What was given by an address and does not answer there. Runs wait for it."""
    for given, look in ((settings.redis_url, _redis), (settings.prefect_api_url, _prefect)):
        try:
            check = await look(settings) if given is not None else None
        except StorageError as error:
            yield Check(look.__name__.strip("_"), Grade.FAIL, str(error), error.action)
            continue
        if check and check.grade is Grade.FAIL:
            yield check


async def _data(settings: StackSettings) -> Check:
    """Held for a moment where nobody holds it: that it could be is what counts."""
    instance = datadir.running(settings.home)
    if instance is not None:
        at = instance.api_url or "starting"
        return Check("data", Grade.OK, f"{settings.home}, in use: {at} (process {instance.pid})")
    with datadir.hold(settings.home, version("headwater")):
        return Check("data", Grade.OK, f"{settings.home}, nothing is running")


async def _disk(settings: StackSettings) -> Check:
    place = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(place).free
    detail = f"{free / 1e9:,.1f} GB free at {place}"
    for each in complaints.of_disk(free, place):
        return Check(each.part, Grade.FAIL, each.detail, each.action)
    if free < complaints.LOW_BYTES:
        return Check("disk", Grade.WARN, detail, "A large source may not fit.")
    return Check("disk", Grade.OK, detail)


async def _database(settings: StackSettings) -> Check:
    file = settings.home / DATABASE_FILE
    if settings.database_url is None and not file.exists():
        return Check("database", Grade.OK, f"SQLite, made at the first start as {file}")
    async with open_database(settings.sql_url()) as database:
        await schema.check(database)
        async with database.reading() as tx:
            there, fenced = await shared_now(tx), await fences.holds(tx)
        for each in (
            *complaints.of_clock("database", "the database", there=there, here=now()),
            *complaints.of_role(fenced=fenced),
        ):
            return Check(each.part, Grade.WARN, each.detail, each.action)
        kind = "SQLite" if database.dialect == "sqlite" else "PostgreSQL"
        return Check("database", Grade.OK, f"{kind} at {database.place}, schema {schema.head()}")


async def _workers(settings: StackSettings) -> Check:
    """Those who were seen lately. Where nothing is meant to run, none is missed."""
    if settings.database_url is None and datadir.running(settings.home) is None:
        return Check("workers", Grade.OK, "none, as nothing is running")
    try:
        async with open_database(settings.sql_url()) as database, database.reading() as tx:
            there = await workers.live(tx)
    except StorageError:  # the database's own line says what to do
        return Check("workers", Grade.WARN, "not known while the database cannot be read")
    if not there:
        action = "Start one; where headwater up starts its own, its log says why it is not there."
        seconds = workers.ALIVE.total_seconds()
        detail = f"none was seen for {seconds:.0f} s: runs that are asked for wait"
        return Check("workers", Grade.WARN, detail, action)
    held, slots = sum(each.held for each in there), sum(each.slots for each in there)
    return Check("workers", Grade.OK, f"{len(there)}, with {held} of {slots} slots in use")


async def _redis(settings: StackSettings) -> Check:
    if settings.redis_url is None:
        server = find_server()
        return Check("redis", Grade.OK, f"embedded: {server.program} {server.version}")
    its = await traits(settings.redis_url.get_secret_value())
    kept = "append-only" if its.append_only else "not append-only"
    detail = f"{its.version} at HEADWATER_REDIS_URL, {kept}, {its.eviction}"
    found = list(complaints.of_redis(its, here=now()))
    if found:
        said, todo = (
            " ".join(words)
            for words in zip(*((each.detail, each.action) for each in found), strict=True)
        )
        return Check("redis", Grade.WARN, f"{detail}. {said}", todo)
    return Check("redis", Grade.OK, detail)


async def _prefect(settings: StackSettings) -> Check:
    if settings.prefect_api_url is None:
        return Check("prefect", Grade.OK, f"embedded: {version('prefect')}")
    action = "Check that the Prefect server runs and that PREFECT_API_URL is right."
    url = settings.prefect_api_url.get_secret_value().rstrip("/")
    try:
        async with httpx.AsyncClient(timeout=5.0) as http:
            answer = await http.get(f"{url}/health")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = f"PREFECT_API_URL does not answer: {type(error).__name__}"
        return Check("prefect", Grade.FAIL, said, action)
    if not answer.is_success:
        said = f"PREFECT_API_URL answers with status {answer.status_code}"
        return Check("prefect", Grade.FAIL, said, action)
    return Check("prefect", Grade.OK, "the server at PREFECT_API_URL answers")


CHECKS: tuple[Callable[[StackSettings], Awaitable[Check]], ...] = (
    _data,
    _disk,
    _database,
    _workers,
    _redis,
    _prefect,
)


def _python() -> Check:
    have = sys.version_info
    detail = f"{have.major}.{have.minor}.{have.micro}, Headwater {version('headwater')}"
    if have < OLDEST_PYTHON:
        return Check("python", Grade.FAIL, detail, "Install Python 3.11 or newer.")
    return Check("python", Grade.OK, detail)


def _git() -> Check:
    program = shutil.which("git")
    action = "Install git: without it no git repository can be ingested."
    if program is None:
        return Check("git", Grade.WARN, "not found", action)
    try:
        asked = [program, "--version"]
        said = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603  # the user's git
    except (OSError, subprocess.SubprocessError):
        return Check("git", Grade.WARN, f"{program} does not work", action)
    return Check(
        "git", Grade.OK, f"{said.stdout.strip().removeprefix('git version ')} at {program}"
    )
