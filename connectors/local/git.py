"""A git repository read through its objects alone: no checkout, no hooks, none of its settings.

Repository configuration is written by whoever made the repository. It can name programs for git to
run (``core.fsmonitor``, hooks, a partial clone's transport), so everything that could is switched
off, and git gets an environment of its own instead of ours.
"""

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from connectors.errors import SourceInvalid, SourceMissing, SourceRefused, SourceUnavailable

_FLAGS = (
    "--no-optional-locks",
    "--no-replace-objects",
    "--literal-pathspecs",
    "-c", "core.fsmonitor=false",
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.attributesFile=/dev/null",
    "-c", "protocol.allow=never",
)  # fmt: skip
_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    # A repository may allow single protocols in its own settings; this list outranks them.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
}
_PATIENCE_SECONDS = 60
_READ_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Git:
    """The git program, pointed at one repository once ``directory`` is known."""

    program: str
    directory: str | None = None
    trusted: tuple[str, ...] = ()

    def command(self, *arguments: str) -> list[str]:
        place = ("--bare", f"--git-dir={self.directory}") if self.directory else ()
        trust = [word for path in self.trusted for word in ("-c", f"safe.directory={path}")]
        return [self.program, *_FLAGS, *trust, *place, *arguments]

    async def start(self, *arguments: str, cwd: str | None = None, stdin: int = DEVNULL) -> Process:
        place = cwd or self.directory
        try:
            return await asyncio.create_subprocess_exec(
                *self.command(*arguments),
                stdin=stdin,
                stdout=PIPE,
                stderr=DEVNULL if stdin == PIPE else PIPE,
                cwd=place,
                env=_ENVIRONMENT | {"PATH": str(Path(self.program).parent)},
                limit=_READ_BYTES,
                # A Ctrl-C on the terminal is for the worker, which needs its children to drain.
                start_new_session=True,
            )
        except PermissionError as error:
            raise SourceRefused(f"{place} cannot be entered: permission denied") from error
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SourceMissing(f"{place} is not there any more") from error

    async def ask(self, *arguments: str, cwd: str | None = None) -> tuple[int, str, str]:
        """Run a short command: its exit code, what it said, what it complained of."""
        process = await self.start(*arguments, cwd=cwd)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                said, complained = await process.communicate()
        except TimeoutError as error:
            raise SourceUnavailable("git did not answer within a minute") from error
        finally:
            await stop(process)
        # One newline is git's; any other belongs to a name.
        return (
            process.returncode or 0,
            os.fsdecode(said).removesuffix("\n"),
            os.fsdecode(complained),
        )

    async def lines(self, *arguments: str) -> AsyncGenerator[str]:
        """Run a long command, and yield what it says in whole records that end in NUL."""
        process = await self.start(*arguments)
        printed, complaints = process.stdout, process.stderr
        if printed is None or complaints is None:  # started with both, a line above
            return
        # Read at once: git would wait for ever to complain into a pipe that is full.
        complaining = asyncio.create_task(complaints.read())
        try:
            rest = b""
            while block := await printed.read(_READ_BYTES):
                records, mark, rest = (rest + block).rpartition(b"\0")
                yield os.fsdecode(records + mark)
            if await process.wait():
                _refuse(os.fsdecode(await complaining), self.directory or "")
        finally:
            await stop(process)
            await complaining


@dataclass(frozen=True, slots=True)
class Place:
    """Where a folder is in a repository. ``folder`` ends in a slash; the top is empty."""

    git: Git
    folder: str


async def find(folder: str) -> Place | None:
    """The repository that tracks this folder; None if none does, or git is not installed."""
    program = shutil.which("git")
    if program is None:
        await asyncio.to_thread(_insist_on_no_repository, folder)
        return None
    git = Git(program)
    code, kind, complaint = await _discover(git, folder)
    if code and "dubious ownership" in complaint:
        git = Git(program, trusted=await _trusted(program))
        code, kind, complaint = await _discover(git, folder)
    # "(or any of the parent directories)" is how git says that nothing here claims to be one.
    if code and "not a git repository (or any" in complaint:
        return None
    if code:
        _refuse(complaint, folder)
    bare, inside, directory = kind.split("\n", 2)
    opened = Git(program, directory=directory)
    if "true" not in {bare, inside}:
        _, top, _ = await git.ask("rev-parse", "--show-toplevel", cwd=folder)
        below = folder.removeprefix(top).strip("/")
        return Place(opened, f"{below}/" if below else "")
    if directory != folder:
        raise SourceInvalid(
            f"{folder} is a part of git's own data",
            action="Give the path of the repository itself.",
        )
    return Place(opened, "")


async def stop(process: Process) -> None:
    """End a child that may have ended by itself, and wait until it is gone."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its session is its own, so only its children
    # asyncio sees the end of a child only when its output was read to the end.
    while process.stdout and await process.stdout.read(_READ_BYTES):
        pass
    await process.wait()


async def _discover(git: Git, folder: str) -> tuple[int, str, str]:
    asked = ("--is-bare-repository", "--is-inside-git-dir", "--absolute-git-dir")
    return await git.ask("rev-parse", *asked, cwd=folder)


async def _trusted(program: str) -> tuple[str, ...]:
    """The repositories of other users that this user told git to trust, in git's own way."""
    process = await asyncio.create_subprocess_exec(
        program, "config", "--global", "--null", "--get-all", "safe.directory",
        stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, cwd="/",
        env={"HOME": _home(), "GIT_CONFIG_NOSYSTEM": "1"},
    )  # fmt: skip
    said, _ = await process.communicate()
    return tuple(filter(None, os.fsdecode(said).split("\0")))


def _refuse(complaint: str, folder: str) -> NoReturn:
    sentence = complaint.strip().rpartition("fatal: ")[2].partition("\n")[0]
    if "dubious ownership" in complaint:
        raise SourceRefused(
            f"The repository at {folder} belongs to another user",
            action="Run Headwater as its owner, or, if you trust it, trust it in git: "
            f"git config --global --add safe.directory {folder}",
        )
    if "ermission denied" in complaint:
        raise SourceRefused(f"git may not read {folder}: {sentence}")
    raise SourceInvalid(
        f"git cannot read {folder}: {sentence or 'it ended without a word'}",
        action="Run git fsck there; if it is a partial or broken clone, clone it again.",
    )


def _home() -> str:
    return os.path.expanduser("~")  # noqa: PTH111  # Path's raises where a user has no home


def _insist_on_no_repository(folder: str) -> None:
    if any(os.path.lexists(parent / ".git") for parent in (Path(folder), *Path(folder).parents)):
        raise SourceInvalid(
            f"{folder} is in a git repository, and there is no git program to read it with",
            action="Install git where the worker runs.",
        )
