"""Which logs of Drive a configuration is about, and which folders in each."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.artifact import PartitionKey
from connectors.drive.config import DriveConfig, PickedConfig
from connectors.drive.library import Library
from connectors.drive.protocol import Log
from connectors.errors import ArtifactGone

TOP = "root"  # Drive's name for the folder that is the user's own drive


@dataclass(frozen=True, slots=True)
class Place:
    """``roots`` are the folders to read of it, all of it if there are none given.

    ``missing`` is a folder that is not there, or not the user's to see, any more; what was read of
    it is in one of the partitions in ``hides``, if in none that is still read.
    """

    log: Log
    title: str
    roots: frozenset[str] | None = None
    missing: str = ""
    hides: tuple[PartitionKey, ...] = ()

    @property
    def key(self) -> PartitionKey:
        return Log(self.missing).key if self.missing else self.log.key


async def places(library: Library, config: PickedConfig) -> Sequence[Place]:
    if not isinstance(config, DriveConfig):
        return [Place(Log(picked=True), "The files you picked")]
    if config.folders:
        return await _named(library, config.folders)
    shared = [Place(Log(each["id"]), each["name"]) for each in await library.drives()]
    return [Place(Log(), "My Drive and what is shared with me"), *shared]


async def _named(library: Library, folders: Sequence[str]) -> Sequence[Place]:
    """One place a log: a folder in a chosen folder is not read twice."""
    roots: dict[str, set[str]] = {}
    titles: dict[str, str] = {}
    missing: list[str] = []
    for name in folders:
        try:
            found = await library.file(name)
        except ArtifactGone:
            missing.append(name)
            continue
        drive = found.get("driveId", "")
        roots.setdefault(drive, set()).add(found["id"])
        titles.setdefault(drive, found["name"])
    made = [
        Place(Log(drive), titles[drive], None if drive and drive in inside else frozenset(inside))
        for drive, inside in roots.items()
    ]
    own = () if "" in roots else (Log().key,)
    gone = [
        Place(Log(), f"Folder {name}", missing=name, hides=(Log(name).key, *own))
        for name in missing
    ]
    return [*made, *gone]
