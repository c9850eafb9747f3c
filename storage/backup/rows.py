"""Rows as lines of JSON, alike from both databases, and back without a loss."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    Column,
    Insert,
    LargeBinary,
    Select,
    Table,
    Text,
    Uuid,
    bindparam,
    cast,
    column,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import NullType, TypeEngine

from storage.backup.manifest import KeptTable, Kind
from storage.columns import Halves, UtcDateTime
from storage.database import Dialect

OF_TYPES: Sequence[tuple[type[TypeEngine[Any]], Kind]] = (
    (Uuid, Kind.UUID),
    (UtcDateTime, Kind.MOMENT),
    (Halves, Kind.VECTOR),
    (LargeBinary, Kind.BYTES),
    (JSON, Kind.JSON),
)
TYPES: Mapping[Kind, Callable[[], TypeEngine[Any]]] = {
    Kind.PLAIN: NullType,  # whatever the column is
    Kind.UUID: Uuid,
    Kind.MOMENT: UtcDateTime,
    Kind.BYTES: LargeBinary,
    Kind.VECTOR: Halves,
    Kind.JSON: Text,
}


def kinds(of: Table) -> dict[str, Kind]:
    return {each.name: _kind(each) for each in of.columns}


def reading(of: Table) -> Select[Any]:
    """All of it. JSON as its text: a value that is null is another thing than no value."""
    return select(
        *(
            cast(each, Text).label(each.name) if _kind(each) is Kind.JSON else each
            for each in of.columns
        )
    )


def writing(kept: KeptTable, dialect: Dialect) -> Insert:
    """For a table as it was then, which today's metadata need not know."""
    target = table(kept.name, *(column(name) for name in kept.columns))
    return target.insert().values(
        {name: _bound(name, kind, dialect) for name, kind in kept.columns.items()}
    )


def encode(of: Sequence[Kind], row: Sequence[Any]) -> bytes:
    """A line."""
    values = [_out(kind, value) for kind, value in zip(of, row, strict=True)]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode(kept: KeptTable, lines: bytes) -> list[dict[str, Any]]:
    """Rows as ``writing`` takes them."""
    return [
        {
            _parameter(name): _in(kind, value)
            for (name, kind), value in zip(kept.columns.items(), json.loads(line), strict=True)
        }
        for line in lines.splitlines()
    ]


def _kind(of: Column[Any]) -> Kind:
    return next((kind for type_, kind in OF_TYPES if isinstance(of.type, type_)), Kind.PLAIN)


def _bound(name: str, kind: Kind, dialect: Dialect) -> Any:
    value = bindparam(_parameter(name), type_=TYPES[kind]())
    return cast(value, JSONB) if kind is Kind.JSON and dialect == "postgresql" else value


def _parameter(name: str) -> str:
    return f"to_{name}"  # a column's own name is SQLAlchemy's


def _out(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case Kind.UUID:
            return value.hex
        case Kind.MOMENT:
            return value.isoformat()
        case Kind.BYTES | Kind.VECTOR:
            return b64encode(value).decode()
        case Kind.JSON | Kind.PLAIN:
            return value


def _in(kind: Kind, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case Kind.UUID:
            return UUID(value)
        case Kind.MOMENT:
            return datetime.fromisoformat(value)
        case Kind.BYTES | Kind.VECTOR:
            return b64decode(value)
        case Kind.JSON | Kind.PLAIN:
            return value
