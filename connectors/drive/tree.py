"""Where files lie: the folders above them, and whether those are among the chosen ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from connectors.drive.library import Library
from connectors.drive.protocol import Answer, Log, is_folder
from connectors.errors import ArtifactGone

_DEEPEST = 100  # Drive allows as many folders in one another


@dataclass(frozen=True, slots=True)
class _Folder:
    name: str
    parent: str | None


@dataclass(slots=True)
class Tree:
    """Without ``roots``, everything in the log is wanted, wherever it lies."""

    library: Library
    log: Log
    roots: frozenset[str] | None = None
    _folders: dict[str, _Folder | None] | None = field(default=None)

    async def above(self, file: Answer) -> Sequence[str] | None:
        """The names of the folders it lies in, from the top down; None if it is not wanted.

        The names end at a chosen folder, at the top of a drive, and where we may not see further.
        """
        names: list[str] = []
        wanted = self.roots is None or file["id"] in self.roots
        parent = _parent(file)
        for _ in range(_DEEPEST):
            if parent is None or (folder := await self._folder(parent)) is None:
                break
            if self.roots is not None and parent in self.roots:
                wanted = True
            if folder.parent is None and not self.log.picked:
                break  # the drive itself, which is no folder to people
            names.append(folder.name)
            parent = folder.parent
        return names[::-1] if wanted else None

    def note(self, folder: Answer) -> None:
        """A folder is new, or lies elsewhere now, or has another name."""
        if self._folders is not None:
            self._folders[folder["id"]] = _Folder(folder["name"], _parent(folder))

    async def _folder(self, name: str) -> _Folder | None:
        if self._folders is None:
            self._folders = {}
            async for each in self.library.folders(self.log):
                self.note(each)
        if name not in self._folders:
            self._folders[name] = await self._asked(name)
        return self._folders[name]

    async def _asked(self, name: str) -> _Folder | None:
        """One that no listing names: the top of a drive, or somebody else's."""
        try:
            found = await self.library.file(name)
        except ArtifactGone:
            return None
        return _Folder(found["name"], _parent(found)) if is_folder(found) else None


def _parent(file: Answer) -> str | None:
    return next(iter(file.get("parents", ())), None)
