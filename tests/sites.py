"""Where real workers work in a test: its own database and folder, the session's servers."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage.database import Database
from tests.working import Worker, working


@dataclass(frozen=True, slots=True)
class Site:
    database: Database
    folder: Path
    redis_url: str
    prefect_url: str
    environment: Mapping[str, str]

    def worker(self, name: str, **changes: str) -> AbstractContextManager[Worker]:
        return working(self.folder / f"{name}.log", {**self.environment, **changes})

    def source(self, files: int) -> Path:
        source = self.folder / "source"
        source.mkdir()
        for number in range(files):
            text = f"# Note {number}\n\n" + f"It says {number} in words of its own.\n" * 40
            (source / f"note-{number:04}.md").write_text(text)
        return source


@pytest.fixture
def site(
    database: Database, database_url: str, redis_url: str, prefect_url: str, tmp_path: Path
) -> Site:
    environment = {
        "HEADWATER_DATA_DIR": str(tmp_path),
        "HEADWATER_DATABASE_URL": database_url,
        "HEADWATER_REDIS_URL": redis_url,
        "HEADWATER_WORKER_LEASE_SECONDS": "4",
        "HEADWATER_WORKER_RENEW_SECONDS": "1",
        "HEADWATER_WORKER_POLL_SECONDS": "0.5",
        "HEADWATER_WORKER_POOL": tmp_path.name,
        "PREFECT_API_URL": prefect_url,
        "PREFECT_HOME": str(tmp_path / "prefect"),
    }
    return Site(database, tmp_path, redis_url, prefect_url, environment)
