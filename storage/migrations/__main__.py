"""Bring the database of ``HEADWATER_DATABASE_URL`` up to date: ``python -m storage.migrations``."""

import asyncio
import sys

from storage.errors import StorageError
from storage.schema import head, upgrade
from storage.settings import StorageSettings


def main() -> int:
    try:
        asyncio.run(upgrade(StorageSettings().sql_url()))
    except StorageError as error:
        sys.stderr.write(f"{error} {error.action}\n")
        return 1
    sys.stdout.write(f"The schema is up to date ({head()}).\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
