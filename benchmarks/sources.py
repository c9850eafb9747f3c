"""A folder to be ingested, connected as the api does it."""

from pathlib import Path

from storage import connections, tenants
from storage.connections import Connection
from storage.database import Tx
from storage.ids import LOCAL_TENANT


async def connect_local(tx: Tx, source: Path) -> Connection:
    await tenants.ensure_local(tx)
    connection, _ = await connections.connect(
        tx,
        LOCAL_TENANT,
        owner="bench",
        kind="local",
        title="Many files",
        config={"path": str(source)},
    )
    return connection
