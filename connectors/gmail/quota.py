"""What Gmail's calls cost, in its quota units per user: numbers that Google changes.

https://developers.google.com/workspace/gmail/api/reference/quota; the table of May 2026 is for new
projects. What is not in it keeps the old price.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from connectors.gmail.config import GmailConfig, Table
from connectors.throttle import Rate


class Call(StrEnum):
    PROFILE = "profile"
    LIST = "messages.list"
    MESSAGE = "messages.get"
    THREAD = "threads.get"
    HISTORY = "history.list"
    ATTACHMENT = "attachments.get"
    WATCH = "watch"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Prices:
    units: Mapping[Call, int]
    a_minute: int


_LEGACY = {
    Call.PROFILE: 1,
    Call.LIST: 5,
    Call.MESSAGE: 5,
    Call.THREAD: 10,
    Call.HISTORY: 2,
    Call.ATTACHMENT: 5,
    Call.WATCH: 100,
    Call.STOP: 50,
}
_TABLES = {
    Table.LEGACY: Prices(_LEGACY, 15_000),
    Table.NEW: Prices({**_LEGACY, Call.MESSAGE: 20, Call.THREAD: 40}, 6_000),
}


def prices(config: GmailConfig) -> Prices:
    table = _TABLES[config.table]
    return Prices(table.units, config.units_a_minute or table.a_minute)


def rates(prices: Prices) -> tuple[Rate, ...]:
    return (Rate(prices.a_minute, timedelta(minutes=1)),)


def is_cheaper_whole(wanted: int, prices: Prices) -> bool:
    """Whether so many mails of a thread cost less as the whole thread; the same, in fewer calls."""
    return prices.units[Call.THREAD] <= wanted * prices.units[Call.MESSAGE]
