"""A place in many runs at once, short enough for a header: of every run, where its reader is."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from uuid import UUID

from api.problems import Code, Problem
from storage.ids import RunId, Seq

HIGHEST = 2**63 - 1
_ID = 22  # characters of a UUID in base 64
_MOST = 200


def seal(places: Mapping[RunId, Seq]) -> str:
    return ".".join(f"{_short(run)}{seq}" for run, seq in places.items())


def open_places(cursor: str | None) -> dict[RunId, Seq]:
    """Raises a problem for what is no such cursor."""
    if not cursor:
        return {}
    parts = cursor.split(".", _MOST)
    return dict(_place(part) for part in parts)


def _short(run: RunId) -> str:
    return urlsafe_b64encode(run.bytes).decode().rstrip("=")


def _place(part: str) -> tuple[RunId, Seq]:
    run, seq = part[:_ID], part[_ID:]
    try:
        known = UUID(bytes=urlsafe_b64decode(f"{run}=="))
    except ValueError:
        raise _invalid() from None
    if not (seq.isascii() and seq.isdigit()) or int(seq[:20]) > HIGHEST:
        raise _invalid()
    return RunId(known), Seq(int(seq))


def _invalid() -> Problem:
    return Problem(
        Code.INVALID_CURSOR,
        "A cursor of an owner's events is the `id` of one, as it came.",
        action="Send the id of the last event you saw, or none.",
    )
