"""Kinds of columns, without a database."""

import struct
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from storage.columns import Halves, UtcDateTime, storable

DIALECTS: list[Dialect] = [SQLiteDialect(), PGDialect()]  # type: ignore[no-untyped-call]  # SQLAlchemy does not say
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PARIS = timezone(timedelta(hours=1))


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_moment_of_any_zone_is_kept_in_utc(dialect: Dialect) -> None:
    bound = UtcDateTime().process_bind_param(NOON.astimezone(PARIS), dialect)

    assert UtcDateTime().process_result_value(bound, dialect) == NOON
    assert bound is not None
    assert bound.hour == 12


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_moment_without_a_zone_is_refused(dialect: Dialect) -> None:
    with pytest.raises(ValueError, match="time zone"):
        UtcDateTime().process_bind_param(NOON.replace(tzinfo=None), dialect)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_vector_comes_back_to_the_bit(dialect: Dialect) -> None:
    vector = struct.pack("<6e", 0.0, -1.0, 0.1, 65504.0, 6e-8, 1 / 3)

    bound = Halves().process_bind_param(vector, dialect)

    assert Halves().process_result_value(bound, dialect) == vector


@pytest.mark.parametrize("text", ["", "plain", "naïve 漢字 😀", "a\nb\tc", "\ufeffmarked"])
def test_ordinary_text_is_kept_as_it_is(text: str) -> None:
    assert storable(text) == text


@pytest.mark.parametrize("text", ["nul\0nul", "\udce9t\udce9", "\ud83d é", "é \ud83d"])
def test_what_no_database_keeps_becomes_a_mark(text: str) -> None:
    kept = storable(text)

    assert "\ufffd" in kept
    assert "\0" not in kept
    assert kept.encode().decode() == kept
