"""The mock provider as it is shipped, one process a session, with another plan for each test."""

import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

QUICK = {"first_token_seconds": 0, "token_seconds": 0}
UNLIMITED = {"limits": {"requests": 10_000_000, "tokens": 10_000_000_000}}


@dataclass(frozen=True, slots=True)
class Mock:
    """``url`` is its base URL, as it says it itself."""

    url: str

    async def become(self, **plan: Any) -> None:
        """Another plan, and an account that begins now."""
        async with httpx.AsyncClient() as client:
            answer = await client.post(self.control, json={**QUICK, **plan})
        answer.raise_for_status()

    async def account(self) -> dict[str, Any]:
        async with httpx.AsyncClient() as client:
            account: dict[str, Any] = (await client.get(self.control)).json()["account"]
        return account

    @property
    def control(self) -> str:
        return self.url.removesuffix("/v1") + "/control"


@pytest.fixture(scope="session")
def mock_url() -> Generator[str]:
    command = [sys.executable, "-m", "pipelines.llm.mock", "--seed", "7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture
async def mock(mock_url: str) -> Mock:
    mock = Mock(mock_url)
    await mock.become()
    return mock
