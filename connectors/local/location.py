"""Where a configured path leads: to a repository, a folder in one, or a plain folder."""

import asyncio
import errno
import os
from pathlib import Path

from connectors.errors import ConnectorError, SourceInvalid, SourceMissing, SourceRefused
from connectors.local import git
from connectors.local.config import LocalConfig
from connectors.local.folder import Folder
from connectors.local.objects import Objects
from connectors.local.repository import Repository, tracks
from connectors.local.tree import Source


async def locate(config: LocalConfig) -> Source:
    """Look what is there. Raises the error that says what is wrong with it."""
    folder = await asyncio.to_thread(_real, config.path)
    place = await git.find(folder)
    if place and await tracks(place, config.path):
        return Repository(place, config, Objects(place.git))
    return Folder(folder, config)


def _real(path: str) -> str:
    try:
        real = os.path.realpath(path, strict=True)
        with os.scandir(real) as listing:
            empty = next(listing, None) is None
    except OSError as error:
        raise _explained(path, error) from error
    if empty:
        raise nothing_in(path)
    return real


def nothing_in(path: str) -> SourceInvalid:
    """Never taken at its word: an empty folder is most often a disk that was not mounted."""
    return SourceInvalid(
        f"{path} is empty",
        action="Check that its disk is mounted, or put something into it, then start again.",
    )


def _explained(path: str, error: OSError) -> ConnectorError:
    if isinstance(error, PermissionError):
        return SourceRefused(
            f"{path} cannot be read: permission denied",
            action="Let the user that Headwater runs as read it, then start again.",
        )
    if isinstance(error, NotADirectoryError) and Path(path).is_file():
        return SourceInvalid(f"{path} is a file", action="Give the folder that holds it.")
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return SourceMissing(f"{path} does not exist on the worker's machine")
        case errno.ELOOP:
            return SourceInvalid(
                f"{path} is a symbolic link that leads back to itself",
                action="Give the path of the folder itself.",
            )
        case errno.ENAMETOOLONG:
            return SourceMissing(f"{path[:80]}… does not exist: the name is too long")
        case _:
            return SourceInvalid(
                f"{path} cannot be read: {error.strerror}",
                action="Look at the disk or mount it is on, then start again.",
            )
