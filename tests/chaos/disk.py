"""A disk so small that it can be filled: a file system in memory. Only root may make one."""

import os
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

SIZE = "12m"
PIECE = bytes(65_536)
FILLER = "filler"


@cache
def can_make() -> bool:
    """Whether this machine lets us: otherwise the cases that need it are left out."""
    if os.geteuid() != 0:
        return False
    refused = suppress(OSError, subprocess.CalledProcessError)
    with tempfile.TemporaryDirectory() as place, refused, small_disk(Path(place)):
        return True
    return False


@contextmanager
def small_disk(place: Path) -> Generator[Path]:
    place.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    subprocess.run(mount, check=True, capture_output=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True, capture_output=True)


def fill(place: Path) -> None:
    """To the last byte."""
    with suppress(OSError), (place / FILLER).open("ab", buffering=0) as file:
        while True:
            file.write(PIECE)
    with suppress(OSError), (place / FILLER).open("ab", buffering=0) as file:
        while True:
            file.write(b"x")


def make_room(place: Path) -> None:
    (place / FILLER).unlink(missing_ok=True)
