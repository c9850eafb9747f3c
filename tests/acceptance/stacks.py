"""A whole stack, as `headwater up` runs it, for tests that use Headwater as a person does."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from api.parts import free_port
from tests.waiting import wait_until


@contextmanager
def running_stack(
    data_dir: Path, *, environment: Mapping[str, str] | None = None
) -> Generator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The address of a stack that answers requests, and the process that holds it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (data_dir.parent / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli", "up", "--port", str(port)],
            env={**os.environ, **(environment or {}), "HEADWATER_DATA_DIR": str(data_dir)},
            stdout=log,
            stderr=log,
        )
    try:
        yield url, process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


async def answering(url: str, *, within_seconds: float = 60) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:

        async def ready() -> bool:
            try:
                return (await http.get(f"{url}/readyz")).is_success
            except httpx.TransportError:
                return False

        await wait_until(ready, within_seconds=within_seconds)
