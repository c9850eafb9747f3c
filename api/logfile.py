"""The log of a child process: a file it appends to, that does not grow for ever."""

import json
import shutil
from pathlib import Path
from typing import BinaryIO

KEEP_BYTES = 10_000_000
READ_BYTES = 64_000
SAID_LINES = 5
SAID_WIDTH = 300


def open_log(path: Path) -> BinaryIO:
    """For appending, so that the file can be trimmed while the child writes to it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path.open("ab")


def trim(path: Path, *, keep_bytes: int = KEEP_BYTES) -> None:
    """Move what was written to ``<name>.1`` when it is a lot.

    Copied and cut, not renamed: the child keeps its file open and goes on at its new end.
    """
    if size(path) <= keep_bytes:
        return
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    with path.open("r+b") as log:
        log.truncate()


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def says(path: Path, words: bytes, *, after: int) -> bool:
    """Whether it was logged after this place, or anywhere in a log that was trimmed since."""
    if not path.exists():
        return False
    with path.open("rb") as log:
        log.seek(after if after <= size(path) else 0)
        return words in log.read()


def last_words(path: Path) -> str:
    """What a child said last, indented, to be read under the sentence that it failed.

    Of a line of JSON only what a person wants: why, and what to do, or how a traceback ends.
    """
    if not path.exists():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, size(path) - READ_BYTES))
        lines = log.read().decode(errors="replace").rstrip().splitlines()
    plain = _plain(lines[-1]) if lines else None
    said = lines[-SAID_LINES:] if plain is None else plain.splitlines()
    return "\n".join(f"    {line[:SAID_WIDTH]}" for line in said)


def _plain(line: str) -> str | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict):
        return None
    if "exception" in entry:
        return str(entry["exception"]).rstrip().rpartition("\n")[2]
    parts = (entry.get(name) for name in ("reason", "action"))
    return "\n".join(str(part) for part in parts if part) or str(entry.get("event", line))
