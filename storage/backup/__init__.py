"""The whole database in one file, from either database and into either.

What a backup has is one instant of every table. What it has not: the keys that credentials are
sealed with, Redis, and Prefect's database. ``docs/operations.md`` says what to do with it.
"""

from storage.backup.archive import verify
from storage.backup.manifest import Manifest
from storage.backup.restoring import Restored, holds_anything, restore
from storage.backup.seals import Unopened, unopened
from storage.backup.taking import take

__all__ = [
    "Manifest",
    "Restored",
    "Unopened",
    "holds_anything",
    "restore",
    "take",
    "unopened",
    "verify",
]
