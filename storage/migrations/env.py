"""What Alembic runs. The connection comes from ``storage.schema``, which holds the locks."""

from alembic import context
from sqlalchemy import Connection

from storage.errors import SetupError
from storage.tables import metadata

connection = context.config.attributes.get("connection")
if not isinstance(connection, Connection):
    raise SetupError(
        "Migrations need a locked connection.",
        action="Run `python -m storage.migrations` instead of `alembic`.",
    )
context.configure(connection=connection, target_metadata=metadata)
context.run_migrations()
