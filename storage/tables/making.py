"""How tables are made here: names of constraints, tenants, references that cannot cross them."""

from typing import Any

from sqlalchemy import Column, ColumnElement, ForeignKeyConstraint, Index, MetaData, Uuid

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMES)


def of_tenant() -> Column[Any]:
    return Column("tenant_id", Uuid, nullable=False)


def within_tenant(table: str, column: str) -> ForeignKeyConstraint:
    """A reference that cannot cross tenants, and that goes with what it refers to."""
    return ForeignKeyConstraint(
        ["tenant_id", column], [f"{table}.tenant_id", f"{table}.id"], ondelete="CASCADE"
    )


def partial_index(
    name: str, *columns: Column[Any], where: ColumnElement[bool], unique: bool = False
) -> None:
    Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)
