"""What pools have learned of their limits, kept over a Redis that forgets and over restarts.

It is the fact ``limits:{pool}``: amounts by dimension, in the windows of the pool's terms.
"""

from sqlalchemy import select

from storage.bulk import insert
from storage.database import Tx
from storage.limits.values import Amounts, Dimension, PoolId
from storage.tables import facts


async def load(tx: Tx, pool: PoolId) -> Amounts:
    """Empty where nothing was learned yet."""
    told = await tx.scalar(select(facts.c.value).where(facts.c.key == _key(pool)))
    return {Dimension(name): float(amount) for name, amount in (told or {}).items()}


async def keep(tx: Tx, pool: PoolId, amounts: Amounts) -> None:
    row = {"key": _key(pool), "value": {name.value: amount for name, amount in amounts.items()}}
    statement = insert(tx, facts).values(row)
    await tx.execute(statement.on_conflict_do_update(index_elements=["key"], set_=row))


def _key(pool: PoolId) -> str:
    return f"limits:{pool}"
