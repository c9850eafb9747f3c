"""The file of a backup: a tar of parts, each of them zstandard, and what they are at its end.

``tar -xf`` and ``zstd -d`` open it, should Headwater not be at hand. It is written in one pass, and
read in two: everything is looked at before anything is taken out of it.
"""

import os
import tarfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import zstandard
from pydantic import ValidationError

from storage.backup.manifest import Manifest, Part
from storage.errors import BackupUnusable

LEVEL = 3
MANIFEST = "manifest.json"
MANIFEST_MOST = 64 * 2**20
READ_BYTES = 2**20


@dataclass(slots=True)
class Writer:
    tar: tarfile.TarFile

    def add(self, name: str, raw: bytes, *, rows: int) -> Part:
        packed = zstandard.ZstdCompressor(level=LEVEL).compress(raw)
        self._put(name, packed)
        return Part(name=name, rows=rows, sha256=sha256(packed).hexdigest())

    def finish(self, manifest: Manifest) -> None:
        self._put(MANIFEST, manifest.model_dump_json(indent=1).encode())

    def _put(self, name: str, body: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = len(body), 0o600, int(time.time())
        self.tar.addfile(entry, BytesIO(body))


@contextmanager
def writing(file: Path) -> Generator[Writer]:
    """The file is there when all of it is on the disk, and for nobody else to read."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        only_ours = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(only_ours, "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w|") as tar:
                yield Writer(tar)
            raw.flush()
            os.fsync(raw.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


@dataclass(slots=True)
class Reader:
    """Of a file that was verified: what its manifest names is there."""

    tar: tarfile.TarFile
    entries: Mapping[str, tarfile.TarInfo]

    def lines(self, part: Part) -> bytes:
        body = self.tar.extractfile(self.entries[part.name])
        return zstandard.ZstdDecompressor().decompress(body.read() if body else b"")


@contextmanager
def reading(file: Path) -> Generator[Reader]:
    with tarfile.open(file, mode="r:") as tar:
        yield Reader(tar, {entry.name: entry for entry in tar})


def verify(file: Path) -> Manifest:
    """Look at every byte of it. Raises ``BackupUnusable``."""
    try:
        with tarfile.open(file, mode="r:") as tar:
            found = {entry.name: _digest(tar, entry) for entry in tar if entry.name != MANIFEST}
            manifest = _manifest(tar, file)
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise BackupUnusable(f"{file} cannot be read: {said}.") from error
    except (tarfile.TarError, EOFError) as error:
        raise BackupUnusable(f"{file} is no backup, or it is damaged: {error}.") from error
    told = {part.name: part.sha256 for table in manifest.tables for part in table.parts}
    wrong = sorted(name for name in told.keys() | found.keys() if told.get(name) != found.get(name))
    if wrong:
        raise BackupUnusable(f"{file} is damaged: {wrong[0]} is not what was written.")
    return manifest


def _manifest(tar: tarfile.TarFile, file: Path) -> Manifest:
    entry = tar.extractfile(MANIFEST) if MANIFEST in tar.getnames() else None
    if entry is None:
        raise BackupUnusable(f"{file} is not whole: its end is missing.")
    try:
        return Manifest.model_validate_json(entry.read(MANIFEST_MOST))
    except ValidationError as error:
        fields = ", ".join(sorted({str(each["loc"][:1]) for each in error.errors()}))
        raise BackupUnusable(
            f"{file} is of a form that this version of Headwater does not know ({fields}).",
            action="Restore it with the version of Headwater that made it.",
        ) from None


def _digest(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> str:
    body, digest = tar.extractfile(entry), sha256()
    while body is not None and (some := body.read(READ_BYTES)):
        digest.update(some)
    return digest.hexdigest()
