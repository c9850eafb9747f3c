"""Row-level security on PostgreSQL: whoever forgets a WHERE sees nothing of another tenant.

Every table with tenants has it, forced, so that its owner is held to it, too; a superuser and a
role with BYPASSRLS never are, which is why neither may serve (docs/operations.md). A session says
whose rows it is after in ``headwater.tenant``: a tenant's id, which a request's transactions say
(``Database.within``); ``*``, which the processes say whose work is everybody's; and who says
nothing sees nothing. On SQLite there is no such thing: there the stores' own conditions are all.
"""

from sqlalchemy import Table, text
from sqlalchemy.exc import DBAPIError

from storage.database import TENANT, Tx
from storage.tables import metadata

POLICY = "of_tenant"
# In subqueries, so that they are worked out once a statement and not for every row.
SAID = f"(SELECT current_setting('{TENANT}', true))"
MINE = f"(SELECT nullif(nullif(current_setting('{TENANT}', true), '*'), '')::uuid)"
FENCED = text("""
    SELECT relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relrowsecurity AND relforcerowsecurity
""")
# A condition may only be looked up in an index if it cannot tell of rows that the policy hides.
# That of full text cannot, and PostgreSQL does not say so of it: without this it would read every
# chunk of the tenant. Only a superuser may say it.
BY_INDEX = text("ALTER FUNCTION pg_catalog.ts_match_vq(tsvector, tsquery) LEAKPROOF")


def fenced() -> dict[str, str]:
    """The tables that belong to tenants, each with the name of the column that says to whom."""
    named = {each.name: _column(each) for each in metadata.sorted_tables}
    return {table: column for table, column in named.items() if column is not None}


async def holds(tx: Tx) -> bool:
    """Whether PostgreSQL holds the role of this session to them at all. True on SQLite."""
    if tx.dialect.name == "sqlite":
        return True
    exempt = text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
    return not await tx.scalar(exempt)


async def put_up(tx: Tx) -> None:
    """Fence what is not fenced yet. Doing it again changes nothing, and locks nothing."""
    there = set((await tx.scalars(FENCED)).all())
    for table, column in fenced().items():
        if table in there:
            continue
        rule = f"{SAID} = '*' OR {column} = {MINE}"
        await tx.execute(text(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"))
        await tx.execute(text(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY"))
        await tx.execute(
            text(f"CREATE POLICY {POLICY} ON {table} USING ({rule}) WITH CHECK ({rule})")
        )
    try:
        async with tx.begin_nested():
            await tx.execute(BY_INDEX)
    except DBAPIError:
        return  # said to the operator in docs/operations.md: it costs time, not safety


def _column(table: Table) -> str | None:
    if table.name == "tenants":
        return "id"
    return "tenant_id" if "tenant_id" in table.c else None
