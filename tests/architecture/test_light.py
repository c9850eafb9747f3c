"""What a command that only asks the api must not load: it would make people wait for it."""

import subprocess
import sys

import pytest

HEAVY = ("sqlalchemy", "alembic", "redis", "prefect", "numpy", "fastapi", "starlette")


@pytest.mark.parametrize(
    "command", ["runs", "watch", "wishes", "sources", "connect", "deploy", "answer"]
)
def test_a_command_that_only_asks_the_api_loads_nothing_heavy(command: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys, api.commands.{command}; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()

    assert f"api.commands.{command}" in loaded
    assert [each for each in HEAVY if each in loaded] == []
