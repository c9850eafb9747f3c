"""Which models the workers have, as they say it when they start: what estimates are made of.

It is the fact ``models``. The last worker to start has said it, for all of them are set up alike.
"""

from dataclasses import asdict, dataclass

from sqlalchemy import select

from storage.bulk import insert
from storage.database import Tx
from storage.money.prices import Price
from storage.tables import facts

FACT = "models"
UNKNOWN = Price(0, 0, 0, known=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """``reads`` is None where no model does. Limits are a minute's; None: nobody has said them."""

    reads: str | None = None
    price: Price = UNKNOWN
    embeds: str | None = None
    embedding_price: Price = UNKNOWN
    prices_source: str = ""
    prices_date: str = ""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    local: bool = False
    """Served by this machine: no limits, and nobody knows how fast."""


async def publish(tx: Tx, models: Models) -> None:
    row = {"key": FACT, "value": asdict(models)}
    statement = insert(tx, facts).values(row)
    await tx.execute(statement.on_conflict_do_update(index_elements=["key"], set_=row))


async def published(tx: Tx) -> Models | None:
    """None: no worker has ever started."""
    told = await tx.scalar(select(facts.c.value).where(facts.c.key == FACT))
    if told is None:
        return None
    prices = {name: Price(**told[name]) for name in ("price", "embedding_price")}
    return Models(**{**told, **prices})
