"""A stranger reads our OpenAPI document and tries everything it promises, and what it forbids."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from api.listening import Manner
from storage.database import Database
from storage.streams.memory import MemoryEventLog
from tests.serving import serving

BRIEF = Manner(age=timedelta(milliseconds=50))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_api_keeps_what_its_document_promises(database: Database, tmp_path: Path) -> None:
    async with serving(database, MemoryEventLog(), manner=BRIEF) as served:
        stranger = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{served.url}/openapi.json"),
            *("--max-examples", "6", "--seed", "20261123", "--request-timeout", "5"),
            # A cursor and a connector's configuration obey more than their schema can say.
            *("--exclude-checks", "positive_data_acceptance"),
            *("--phases", "examples,fuzzing", "--no-color"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path,
        )
        said, _ = await stranger.communicate()

    assert stranger.returncode == 0, said.decode()
