"""A commit's files out of one archive, read forward as they are wanted: no disk, little memory."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx

from connectors.errors import SourceInvalid
from connectors.github.protocol import blob_sha
from connectors.github.session import Session
from connectors.github.tarball import Damaged, Member, TarReader
from connectors.intake import Inflater, Limits, unpacked
from connectors.local.protocol import Entry

_ATTEMPTS = 3
_WIRE_BYTES = 8_000_000_000
_OVERHEAD = 4_096  # of one member: headers, padding


@dataclass(slots=True)
class Archive:
    """``order`` is the place of every path in the archive, ``expanded`` what all of it comes to."""

    session: Session
    repository: str
    commit: str
    order: Mapping[str, int]
    expanded: int
    _wanted: Mapping[str, Entry] = field(default_factory=dict[str, Entry])
    _reached: int = -1
    _failures: int = 0
    _members: "AsyncGenerator[Member] | None" = None
    _waiting: Member | None = None
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def take(self, wanted: Mapping[str, Entry]) -> dict[str, bytes]:
        """The contents of these by blob SHA, those that the archive has as they are in git.

        It may leave out what ``.gitattributes`` excludes, changes or what came in another order.
        """
        last = max((self.order[path] for path in wanted), default=-1)
        found: dict[str, bytes] = {}
        self._wanted = wanted
        while self._reached < last and self._failures < _ATTEMPTS:
            try:
                await self._forward(last, found)
            except (Damaged, SourceInvalid, httpx.TransportError):
                # Another download may be whole; if none is, the files are asked for one by one.
                await self.close()
                self._failures += 1
        return found

    async def close(self) -> None:
        if self._members is not None:
            await self._members.aclose()
        await self._open.aclose()
        self._members, self._waiting = None, None

    async def _forward(self, last: int, found: dict[str, bytes]) -> None:
        if self._members is None:
            self._members = self._read()
        async for member in self._members:
            place = self.order.get(member.path, -1)
            self._note(member, found)
            if place > self._reached:
                self._reached, self._failures = place, 0
            if self._reached >= last:
                return
        self._reached = len(self.order)  # it has ended, and well

    def _note(self, member: Member, found: dict[str, bytes]) -> None:
        entry = self._wanted.get(member.path)
        if entry and member.content is not None and blob_sha(member.content) == entry.version:
            found[entry.version] = member.content

    async def _read(self) -> AsyncGenerator[Member]:
        """Yield the members of a new download. Raises ``Damaged`` if it is not whole."""
        path = f"/repos/{self.repository}/tarball/{self.commit}"
        response = await self._open.enter_async_context(self.session.stream(path))
        limit = self.expanded + _OVERHEAD * (len(self.order) + 1_000)
        limits = Limits(wire_bytes=_WIRE_BYTES, body_bytes=_WIRE_BYTES, free_bytes=_WIRE_BYTES)
        inflater, reader, size = Inflater(), TarReader(self._wants), 0
        async for part in unpacked(response, limits):
            for piece in inflater.feed(part):
                size += len(piece)
                if size > limit:
                    raise Damaged("The archive is larger than the files it is of")
                for member in reader.feed(piece):
                    yield Member(_inside(member.path), member.content)
        if not (reader.finished and inflater.finished):
            raise Damaged("The archive breaks off")

    def _wants(self, path: str, size: int) -> bool:
        entry = self._wanted.get(_inside(path))
        return entry is not None and entry.size == size


def _inside(path: str) -> str:
    """Without the folder that the whole archive is in."""
    return path.partition("/")[2]
