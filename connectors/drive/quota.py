"""What Drive's calls cost, in its quota units per user: numbers that Google changes.

https://developers.google.com/workspace/drive/api/guides/limits, the table of May 2026. For older
projects requests are counted, 12,000 a minute: these units allow fewer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from connectors.throttle import Rate

A_MINUTE = 325_000


class Call(StrEnum):
    ABOUT = "about.get"
    DRIVES = "drives.list"
    LIST = "files.list"
    GET = "files.get"
    DOWNLOAD = "files.get?alt=media"
    EXPORT = "files.export"
    START = "changes.getStartPageToken"
    CHANGES = "changes.list"


UNITS: Mapping[Call, int] = MappingProxyType({
    Call.ABOUT: 5,
    Call.DRIVES: 100,
    Call.LIST: 100,
    Call.GET: 5,
    Call.DOWNLOAD: 200,
    Call.EXPORT: 200,
    Call.START: 5,
    Call.CHANGES: 100,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prices:
    units: Mapping[Call, int]


PRICES = Prices(UNITS)


def rates(units_a_minute: int | None) -> tuple[Rate, ...]:
    return (Rate(units_a_minute or A_MINUTE, timedelta(minutes=1)),)
