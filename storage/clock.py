"""What time it is, in UTC."""

from datetime import UTC, datetime

from sqlalchemy import func, select

from storage.database import Tx


def now() -> datetime:
    return datetime.now(UTC)


async def shared_now(tx: Tx) -> datetime:
    """The time all workers agree on, for leases: the server's where there is one."""
    if tx.dialect.name == "sqlite":
        return now()
    moment: datetime = (await tx.execute(select(func.clock_timestamp()))).scalar_one()
    return moment.astimezone(UTC)
