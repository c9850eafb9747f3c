"""Folders and repositories for tests, made by the real git."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from connectors.access import Anonymous, Given
from connectors.connector import Fetched
from connectors.events import Event, Skipped
from connectors.local import CONNECTOR
from connectors.local.config import LocalConfig
from connectors.local.crawl import FILES
from connectors.world import artifacts

Files = Mapping[str, str | bytes]

IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")


def write(folder: Path, files: Files) -> Path:
    """Put these files into a folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def git(folder: Path, *arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", *IDENTITY, "-c", "init.defaultBranch=main", *arguments],
        cwd=folder, env=environment, check=True, capture_output=True,
    )  # fmt: skip
    return os.fsdecode(done.stdout).strip()


def repository(folder: Path, files: Files) -> Path:
    """A repository with one commit of these files."""
    write(folder, files)
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def commit(folder: Path, files: Files | None = None) -> str:
    """Commit all there is, also what ignore files name; answers the commit."""
    write(folder, files or {})
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Change")
    return git(folder, "rev-parse", "HEAD")


@contextmanager
def unprivileged() -> Iterator[Path]:
    """Be a user whom permissions stop, which root is not, in a folder that is this user's."""
    folder = Path(tempfile.mkdtemp(prefix="headwater-tests-")).resolve()
    somebody, ourselves = pwd.getpwnam("nobody").pw_uid, os.geteuid()
    try:
        if ourselves == 0:
            os.chown(folder, somebody, -1)
            os.seteuid(somebody)
        yield folder
    finally:
        os.seteuid(ourselves)
        for path in folder.rglob("*"):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(folder)


def config(folder: Path | str, **options: object) -> LocalConfig:
    return LocalConfig.model_validate({"path": str(folder), **options})


async def told(folder: Path | str, **options: object) -> list[Event]:
    """All that a first read tells of a place."""
    async with CONNECTOR.open(config(folder, **options), Given(Anonymous())) as connector:
        return [event async for event in connector.read(FILES, None)]


async def fetched(folder: Path | str, **options: object) -> dict[str, Fetched]:
    """What comes of fetching all that a first read offers, by path."""
    async with CONNECTOR.open(config(folder, **options), Given(Anonymous())) as connector:
        offers = artifacts([event async for event in connector.read(FILES, None)])
        answers = await connector.fetch([artifact.ref for artifact in offers])
        return {artifact.path or "": answers[artifact.ref] for artifact in offers}


def offered(events: Sequence[Event]) -> list[str]:
    """The paths to be ingested, in the order they were told."""
    return [artifact.path or "" for artifact in artifacts(events)]


def skipped(events: Sequence[Event]) -> dict[str, str]:
    """Why which path is not ingested."""
    return {event.title: event.reason.value for event in events if isinstance(event, Skipped)}
