"""What a backup says of itself. It comes last in the file: one without it was broken off."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT: Literal[1] = 1
Name = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,62}$")]


class Kind(StrEnum):
    """How a value is written: as it is, or as text where JSON knows no such value."""

    PLAIN = "plain"
    UUID = "uuid"
    MOMENT = "moment"
    BYTES = "bytes"
    VECTOR = "vector"  # of halves, as bytes
    JSON = "json"  # as the text of it, so that none is not null


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(_Part):
    """Some rows of a table, a file within the file."""

    name: str
    rows: int
    sha256: str


class KeptTable(_Part):
    """A table: its columns in the order in which rows have their values."""

    name: Name
    columns: Annotated[dict[Name, Kind], Field(min_length=1)]
    parts: Sequence[Part]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


class Manifest(_Part):
    """``sequences`` are the last ids that were given, by table: a restored one gives none again.

    ``key_ids`` name the keys that secrets in it are sealed with, and that it does not have.
    """

    format: Literal[1] = FORMAT
    headwater: str
    revision: str  # of the schema
    dialect: str
    taken_at: datetime
    key_ids: Sequence[str]
    sequences: dict[Name, int]
    tables: Sequence[KeptTable]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)
