"""Dollars as decimal text, so that nothing is lost on the way."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field, PlainSerializer

MOST = 1_000_000


def _plain(amount: Decimal) -> str:
    return f"{amount:f}"


Dollars = Annotated[
    Decimal, Field(ge=0, le=MOST, decimal_places=9), PlainSerializer(_plain, return_type=str)
]
