"""``headwater backup``: the whole database in one file."""

import asyncio
import sys
from pathlib import Path

from rich.text import Text

from api.attaching import StackSettings, headwater_version
from api.commands.ending import ExitCode, Trouble, messages
from api.terminal import print_json
from storage import backup
from storage.backup import Manifest
from storage.database import open_database
from storage.settings import DATABASE_FILE, KEY_FILE


def run(*, file: str, as_json: bool) -> int:
    settings, where = StackSettings(), Path(file).expanduser().absolute()
    if where.exists():
        raise Trouble(
            f"{where} is there already.",
            action="Choose another name: no backup takes the place of another.",
            code=ExitCode.USAGE,
        )
    if settings.database_url is None and not (settings.home / DATABASE_FILE).exists():
        raise Trouble(
            f"There is nothing to back up in {settings.home}.",
            action="Set HEADWATER_DATA_DIR or HEADWATER_DATABASE_URL to where it is.",
            code=ExitCode.USAGE,
        )
    try:
        manifest = asyncio.run(_take(settings, where))
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        message = f"The backup cannot be written to {where}: {said}."
        action = "Choose a place with room that this user can write to."
        raise Trouble(message, action=action, code=ExitCode.CANNOT_RUN) from error
    _tell(manifest, where, settings, as_json=as_json)
    return ExitCode.DONE


async def _take(settings: StackSettings, where: Path) -> Manifest:
    async with open_database(settings.sql_url()) as database:
        return await backup.take(database, where, version=headwater_version())


def _tell(manifest: Manifest, where: Path, settings: StackSettings, *, as_json: bool) -> None:
    size = where.stat().st_size
    if as_json:
        told = {"file": str(where), "bytes": size, "rows": manifest.rows}
        moment = manifest.taken_at.isoformat()
        print_json(sys.stdout, {**told, "taken_at": moment, "schema": manifest.revision})
        return
    moment = f"{manifest.taken_at:%Y-%m-%d %H:%M:%S} UTC"
    said = [
        f"{manifest.rows:,} rows in {where} ({size / 1e6:,.1f} MB), as of {moment}.",
        "What was ingested is in it as it is: let nobody have it who may not have that.",
    ]
    if manifest.key_ids:
        home = settings.home / KEY_FILE
        keys = "HEADWATER_SECRET_KEYS" if settings.secret_keys or settings.database_url else home
        said.append(
            f"What opens the connected accounts is sealed with {', '.join(manifest.key_ids)}, "
            f"which is not in it: keep {keys} elsewhere, or each account has to be connected again."
        )
    for line in said:
        messages().print(Text(line), soft_wrap=True)
