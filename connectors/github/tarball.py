"""The members of a tar stream as values, fed with bytes: nothing is written anywhere. No I/O.

Only what ``git archive`` makes is understood, and that strictly: POSIX ustar with extended headers.
Links, devices and whatever else a hostile archive may hold are passed over by their size.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from connectors.errors import SourceUnavailable

_BLOCK = 512
_END = bytes(_BLOCK)
_MAX_HEADER = 1 << 16
_FILE, _GLOBAL, _EXTENDED, _LONG_NAME = b"0\0", b"g", b"x", b"L"


class Damaged(SourceUnavailable):
    """It is no whole archive. Another download may be."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the archive. ``content`` is None for one that nobody wants."""

    path: str
    content: bytes | None


@dataclass(slots=True)
class TarReader:
    """``wants`` is asked once for each file, by path and size, before a byte of it is kept."""

    wants: Callable[[str, int], bool]
    finished: bool = False
    _buffer: bytearray = field(default_factory=bytearray)
    _skip: int = 0
    _reading: "_Reading | None" = None
    _path: str | None = None
    _size: int | None = None

    def feed(self, data: bytes) -> Iterator[Member]:
        """Take bytes in and yield the members that are complete. Raises ``Damaged``."""
        self._buffer += data
        while not self.finished:
            member = None
            if self._skip:
                taken = min(self._skip, len(self._buffer))
                del self._buffer[:taken]
                self._skip -= taken
            if self._skip or len(self._buffer) < (needed := self._needed()):
                return
            if self._reading is not None:
                member = self._take(bytes(self._buffer[:needed]))
            else:
                self._open(bytes(self._buffer[:needed]))
            del self._buffer[:needed]
            if member:
                yield member

    def _needed(self) -> int:
        return _BLOCK if self._reading is None else _padded(self._reading.size)

    def _open(self, block: bytes) -> None:
        if block == _END:
            self.finished = True
            return
        if _checksum(block) != _number(block[148:156]):
            raise Damaged("The archive is damaged: a header does not add up")
        kind, size = block[156:157], _number(block[124:136])
        if kind in _FILE:
            self._open_file(_name(block), size)
        elif kind in {_GLOBAL, _EXTENDED, _LONG_NAME}:
            if size > _MAX_HEADER:
                raise Damaged("The archive is damaged: a header is too long")
            self._reading = _Reading(kind, "", size)
        else:
            self._forget()
            self._skip = _padded(size)

    def _open_file(self, name: str, size: int) -> None:
        path = self._path if self._path is not None else name
        size = self._size if self._size is not None else size
        self._forget()
        if self.wants(path, size):
            self._reading = _Reading(b"0", path, size)
        else:
            self._reading = _Reading(b"", path, 0)
            self._skip = _padded(size)

    def _take(self, data: bytes) -> Member | None:
        reading, self._reading = self._reading, None
        if reading is None:  # asked only while there is one
            return None
        body = data[: reading.size]
        match reading.kind:
            case b"0":
                return Member(reading.path, body)
            case b"":
                return Member(reading.path, None)
            case b"L":
                self._path = body.rstrip(b"\0").decode(errors="surrogateescape")
            case b"x":
                self._extend(_records(body))
            case _:
                pass  # of the whole archive: the commit, which each content is checked against
        return None

    def _extend(self, records: dict[str, bytes]) -> None:
        if "path" in records:
            self._path = records["path"].decode(errors="surrogateescape")
        if "size" in records:
            self._size = _decimal(records["size"])

    def _forget(self) -> None:
        self._path = self._size = None


@dataclass(frozen=True, slots=True)
class _Reading:
    kind: bytes
    path: str
    size: int


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _checksum(block: bytes) -> int:
    return sum(block[:148]) + sum(block[156:]) + 8 * ord(" ")


def _number(field_: bytes) -> int:
    """Octal digits; or binary, for what does not fit into them."""
    if field_[0] & 0x80:
        return int.from_bytes(bytes([field_[0] & 0x7F]) + field_[1:], "big")
    digits = field_.strip(b" \0")
    try:
        return int(digits, 8) if digits else 0
    except ValueError as error:
        raise Damaged("The archive is damaged: a header has no number") from error


def _decimal(digits: bytes) -> int:
    if not digits.isdigit():
        raise Damaged("The archive is damaged: a size is no number")
    return int(digits)


def _name(block: bytes) -> str:
    name, prefix = block[:100].partition(b"\0")[0], block[345:500].partition(b"\0")[0]
    whole = prefix + b"/" + name if prefix and block[257:262] == b"ustar" else name
    return whole.decode(errors="surrogateescape")


def _records(body: bytes) -> dict[str, bytes]:
    """The ``length key=value`` lines of an extended header (POSIX pax)."""
    records: dict[str, bytes] = {}
    at = 0
    while at < len(body):
        length, _, _ = body[at : at + 20].partition(b" ")
        end = at + _decimal(length)
        if end <= at or end > len(body):
            raise Damaged("The archive is damaged: a record is cut")
        key, _, value = body[at + len(length) + 1 : end - 1].partition(b"=")
        records[key.decode(errors="replace")] = value
        at = end
    return records
