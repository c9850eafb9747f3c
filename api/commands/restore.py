"""``headwater restore``: the database as it was when a backup was taken."""

import asyncio
import sys
from pathlib import Path

import typer
from rich.text import Text

from api.attaching import StackSettings, headwater_version
from api.commands.ending import ExitCode, Trouble, messages
from api.terminal import print_json
from storage import backup, datadir
from storage.backup import Restored, Unopened


def run(*, file: str, force: bool, yes: bool, as_json: bool) -> int:
    settings, which = StackSettings(), Path(file).expanduser().absolute()
    with datadir.hold(settings.home, headwater_version()):  # nothing of this machine is at it
        restored = asyncio.run(_restore(settings, which, force=force, yes=yes))
    _tell(restored, as_json=as_json)
    return ExitCode.INCOMPLETE if restored.unopened else ExitCode.DONE


async def _restore(settings: StackSettings, which: Path, *, force: bool, yes: bool) -> Restored:
    url = settings.sql_url()
    if await backup.holds_anything(url):
        _insist(which, force=force, yes=yes)
    return await backup.restore(url, which, keyring=settings.keyring_there())


def _insist(which: Path, *, force: bool, yes: bool) -> None:
    said = "The database is not empty. Restoring replaces everything in it, for good."
    meant = force and (
        yes or (sys.stdin.isatty() and typer.confirm(f"{said} Is that meant?", err=True))
    )
    if not meant:
        raise Trouble(
            f"{said} Nothing was changed.",
            action=f"If that is meant: headwater restore {which} --force --yes",
            code=ExitCode.USAGE,
        )


def _tell(restored: Restored, *, as_json: bool) -> None:
    manifest = restored.manifest
    if as_json:
        closed = {each.key: each.credentials for each in restored.unopened}
        told = {"rows": manifest.rows, "taken_at": manifest.taken_at.isoformat()}
        print_json(sys.stdout, {**told, "unopened": closed})
        return
    lines = [
        f"{manifest.rows:,} rows are back, as of {manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC.",
        "Runs that were under way go on when a worker starts.",
        "What was disconnected since is there again: disconnect it again.",
        *(_closed(each) for each in restored.unopened),
    ]
    for line in lines:
        messages().print(Text(line), soft_wrap=True)


def _closed(each: Unopened) -> str:
    accounts = "account" if each.credentials == 1 else "accounts"
    return (
        f"What opens {each.credentials:,} connected {accounts} was sealed with the key {each.key}, "
        "and no key here opens it: set HEADWATER_SECRET_KEYS to the keys of the installation that "
        "was backed up (or put its .secret-keys into the data directory), or connect them again."
    )
