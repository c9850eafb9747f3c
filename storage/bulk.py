"""Many rows at a time, within the limits of both databases."""

from collections.abc import Collection, Iterator
from itertools import islice
from typing import TypeVar

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from storage.database import Tx

T = TypeVar("T")
Insert = postgresql.Insert | sqlite.Insert

BATCH = 1_000
"""How many values an ``IN`` list may hold; the drivers stop at 32,766 parameters."""


def insert(tx: Tx, table: Table) -> Insert:
    """An INSERT that knows ``ON CONFLICT``, which the two dialects spell alike."""
    return sqlite.insert(table) if tx.dialect.name == "sqlite" else postgresql.insert(table)


def batches(values: Collection[T], size: int = BATCH) -> Iterator[list[T]]:
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch
