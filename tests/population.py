"""Rows for every table there is, made up from the tables themselves, that only a seed decides."""

import json
import random
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Uuid,
    insert,
    select,
)
from sqlalchemy.types import JSON, TypeEngine

from storage.columns import Halves, UtcDateTime, Words
from storage.database import Database, Tx
from storage.tables import embeddings, metadata

LETTERS = "aZ09 _-/.'\"\\\n\r\t\u00e9\u2028\u4e16\U0001f600"
HALF = 0.5
MOST = {SmallInteger: 2**15 - 1, BigInteger: 2**53}
Row = dict[str, Any]


async def populate(database: Database, seed: int, *, most: int = 6) -> None:
    """Some rows in each table, the first of it as full as can be."""
    chance = random.Random(seed)  # noqa: S311  # the same again for a seed
    made: dict[str, list[Row]] = {}
    async with database.transaction() as tx:
        for table in metadata.sorted_tables:
            rows = _rows(table, chance, made, most)
            made[table.name] = [await _add(tx, table, row) for row in rows]


async def everything(database: Database) -> Mapping[str, Sequence[Any]]:
    """What each table has, in an order that does not depend on the database."""
    async with database.reading() as tx:
        return {
            table.name: sorted(map(_alike, (await tx.execute(select(table))).all()))
            for table in metadata.sorted_tables
        }


def _alike(row: Sequence[Any]) -> str:
    """The row in words. PostgreSQL keeps the members of JSON objects in an order of its own."""
    return repr(
        [
            json.dumps(each, sort_keys=True) if isinstance(each, dict | list) else each
            for each in row
        ]
    )


async def _add(tx: Tx, table: Table, row: Row) -> Row:
    added = await tx.execute(insert(table).values(row).returning(*table.primary_key.columns))
    return row | dict(added.mappings().one())


def _rows(
    table: Table, chance: random.Random, made: Mapping[str, list[Row]], most: int
) -> list[Row]:
    """No two of them have the same parent: it may be all that tells them apart."""
    # The one within a tenant last: its parent says which tenant.
    references = sorted(table.foreign_key_constraints, key=lambda one: len(one.elements))
    known = [made[one.referred_table.name] for one in references]
    parents = [chance.sample(some, k=len(some)) for some in known]
    number = min([most, *map(len, parents)])
    return [
        {
            **_own(table, chance, full=each == 0),
            **{
                name: value
                for one, some in zip(references, parents, strict=True)
                for name, value in _referring(one, some[each]).items()
            },
        }
        for each in range(number)
    ]


def _referring(one: ForeignKeyConstraint, parent: Row) -> Row:
    return {each.parent.name: parent[each.column.name] for each in one.elements}


def _own(table: Table, chance: random.Random, *, full: bool) -> Row:
    row = {
        each.name: None
        if each.nullable and not full and chance.random() < HALF
        else _value(each, chance)
        for each in table.columns
        if each is not table.autoincrement_column
    }
    if table is embeddings:
        row["vector"] = struct.pack("<3e", *(chance.uniform(-1, 1) for _ in range(3)))
        row["dimension"] = 3
    return row


def _value(column: Column[Any], chance: random.Random) -> Any:
    return next(make for kind, make in MADE.items() if isinstance(column.type, kind))(
        column, chance
    )


def _whole(column: Column[Any], chance: random.Random) -> int:
    most = (most for kind, most in MOST.items() if isinstance(column.type, kind))
    return chance.randrange(next(most, 2**31 - 1))


def _moment(_column: Column[Any], chance: random.Random) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=chance.getrandbits(44))


def _value_of_json(column: Column[Any], chance: random.Random) -> Any:
    made = _json(chance, 2)
    return {} if made is None and getattr(column.type, "none_as_null", False) else made


def _words(column: Column[Any], chance: random.Random) -> str:
    return _text(chance, min(getattr(column.type, "length", None) or 60, 60))


def _json(chance: random.Random, depth: int) -> Any:
    plain: list[Any] = [None, True, 0, chance.getrandbits(50), 1.5, "", _text(chance, 30), {}, []]
    if not depth:
        return chance.choice(plain)
    some = [_json(chance, depth - 1) for _ in range(3)]
    return chance.choice([*plain, some, {_text(chance, 9): each for each in some}])


def _text(chance: random.Random, most: int) -> str:
    """Long enough that no two are alike, where there is room."""
    return "".join(chance.choices(LETTERS, k=most))


MADE: Mapping[type[TypeEngine[Any]], Callable[[Column[Any], random.Random], Any]] = {
    Uuid: lambda _, chance: UUID(int=chance.getrandbits(128)),
    UtcDateTime: _moment,
    Halves: lambda *_: b"",  # see above
    LargeBinary: lambda _, chance: chance.randbytes(chance.randrange(200)),
    Boolean: lambda _, chance: chance.random() < HALF,
    JSON: _value_of_json,
    String: _words,
    Words: _words,
    Integer: _whole,
}
"""By the kind of a column, the first that fits."""
