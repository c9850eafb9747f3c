"""Whether the keys at hand open what is sealed in the database: no backup has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from storage.credentials import FIELD
from storage.database import Tx
from storage.errors import SealBroken, SecretKeyMissing
from storage.sealed import Belongs, KeyId, Keyring, Sealed
from storage.tables import credentials


@dataclass(frozen=True, slots=True)
class Unopened:
    """Credentials that nothing here opens. ``key`` is not among the keys, or is another one."""

    key: KeyId
    credentials: int


async def unopened(tx: Tx, keyring: Keyring | None) -> Sequence[Unopened]:
    """Try one of each key. None: there are no keys at all."""
    counted = select(credentials.c.key_id, func.count()).group_by(credentials.c.key_id)
    numbers: Mapping[str, int] = {row[0]: row[1] for row in await tx.execute(counted)}
    return [
        Unopened(KeyId(key), number)
        for key, number in sorted(numbers.items())
        if keyring is None or not await _opens(tx, keyring, key)
    ]


async def _opens(tx: Tx, keyring: Keyring, key: str) -> bool:
    one = select(credentials).where(credentials.c.key_id == key).limit(1)
    row = (await tx.execute(one)).one()
    try:
        keyring.open(
            Sealed(row.sealed, KeyId(key)), Belongs(row.tenant_id, row.connection_id, FIELD)
        )
    except (SecretKeyMissing, SealBroken):
        return False
    return True
