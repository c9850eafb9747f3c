"""A stranger reads our OpenAPI document and tries everything it promises, and what it forbids.

Twice: as on one machine, and with a key, where it also tries every operation without. By default
for half a minute; ``HEADWATER_TEST_EXAMPLES=200`` tries that many of each operation, and sequences
of them.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from api.listening import Manner
from api.quotas import Quotas
from api.settings import Share
from storage import keys, workflows
from storage.database import Database
from storage.ids import LOCAL_TENANT
from storage.scopes import Scope
from storage.streams.memory import MemoryEventLog
from storage.workflows import Published
from tests.marks import on_sqlite
from tests.serving import Story, serving

BRIEF = Manner(age=timedelta(milliseconds=50))
EXAMPLES = int(os.environ.get("HEADWATER_TEST_EXAMPLES", "6"))
PHASES = "examples,fuzzing" if EXAMPLES < 50 else "examples,coverage,fuzzing,stateful"
ECHO = Published(
    name="echo",
    version=1,
    title="Echo",
    description="Says it again.",
    input_schema={"type": "object", "properties": {"word": {"type": "string"}}},
    output_schema={"type": "object"},
)
pytestmark = pytest.mark.timeout(max(60, EXAMPLES * 10))


@asynccontextmanager
async def served(database: Database, *, asks_for_keys: bool) -> AsyncGenerator[str]:
    """A server that has something to find, and no bound that the stranger would run into."""
    log = MemoryEventLog()
    await Story.begin(database, log)
    async with database.transaction() as tx:
        await workflows.publish(tx, [ECHO])
    quotas = Quotas(Share(a_minute=10**9))
    async with serving(
        database, log, manner=BRIEF, asks_for_keys=asks_for_keys, quotas=quotas
    ) as server:
        yield server.url


async def stranger(url: str, folder: Path, *more: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"),
        *("--max-examples", str(EXAMPLES), "--seed", "20261123", "--request-timeout", "5"),
        # A cursor and a connector's configuration obey more than their schema can say.
        *("--exclude-checks", "positive_data_acceptance"),
        *("--phases", PHASES, "--no-color", *more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


@on_sqlite
async def test_the_api_keeps_what_its_document_promises(database: Database, tmp_path: Path) -> None:
    async with served(database, asks_for_keys=False) as url:
        code, said = await stranger(url, tmp_path, "--exclude-checks", "ignored_auth")

    assert code == 0, said


@on_sqlite
async def test_it_keeps_it_for_those_with_a_key_and_for_nobody_else(
    database: Database, tmp_path: Path
) -> None:
    async with database.transaction() as tx:
        _, secret = await keys.make(tx, LOCAL_TENANT, name="stranger", scopes=tuple(Scope))
    async with served(database, asks_for_keys=True) as url:
        code, said = await stranger(url, tmp_path, "--header", f"Authorization: Bearer {secret}")

    assert code == 0, said
