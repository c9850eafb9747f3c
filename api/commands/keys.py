"""``headwater keys``: the keys that credentials are sealed with."""

import asyncio
import sys

from api.attaching import StackSettings
from api.commands.ending import ExitCode, messages
from api.terminal import print_json
from storage import credentials, schema, sealed, webhooks
from storage.credentials import Resealed
from storage.database import open_database
from storage.settings import StorageSettings


def run(*, what: str, as_json: bool) -> int:
    if what == "new":
        print(sealed.new_key())  # noqa: T201  # the data of this command
        return ExitCode.DONE
    settings = StorageSettings(data_dir=StackSettings().home)
    keyring = settings.keyring()
    done = asyncio.run(_rotate(settings))
    if as_json:
        print_json(sys.stdout, {"key": keyring.sealing, "resealed": done.done, "left": done.left})
    else:
        said = f"{done.done:,} credentials were sealed again; {done.left:,} are on an older key."
        messages().print(said if done.left else f"{said} Older keys can be taken away.")
    return ExitCode.INCOMPLETE if done.left else ExitCode.DONE


async def _rotate(settings: StorageSettings) -> Resealed:
    async with open_database(settings.sql_url()) as database:
        await schema.check(database)
        keyring = settings.keyring()
        await webhooks.reseal(database, keyring)
        return await credentials.reseal(database, keyring)
