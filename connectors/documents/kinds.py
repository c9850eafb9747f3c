"""Which files are documents whose text can be taken out, and what may come of trying."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from connectors.artifact import SkipReason

MOST_BYTES = 50_000_000
MOST_CHARACTERS = 2_000_000
_OFFICE = "application/vnd.openxmlformats-officedocument."


class Kind(StrEnum):
    PDF = "pdf"
    DOCX = "docx"
    XLSX = "xlsx"
    PPTX = "pptx"


XLSX = f"{_OFFICE}spreadsheetml.sheet"
_MIMES: Mapping[str, Kind] = {
    "application/pdf": Kind.PDF,
    f"{_OFFICE}wordprocessingml.document": Kind.DOCX,
    XLSX: Kind.XLSX,
    f"{_OFFICE}presentationml.presentation": Kind.PPTX,
}
_SAYS_NOTHING = frozenset({"", "application/octet-stream", "application/x-zip-compressed"})


def kind_of(mime: str, name: str) -> Kind | None:
    """By its type; by its name, if whoever sent it knew no type."""
    if mime not in _SAYS_NOTHING:
        return _MIMES.get(mime)
    suffix = name.rpartition(".")[2].lower()
    return next((kind for kind in Kind if kind == suffix), None)


@dataclass(frozen=True, slots=True)
class Document:
    kind: Kind
    data: bytes


@dataclass(frozen=True, slots=True)
class Text:
    """In the manner of Markdown. ``cut`` if it is only its front."""

    text: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Unwanted:
    """It is sound, and still nothing can be taken out of it."""

    reason: SkipReason
    detail: str


class DocumentBroken(Exception):
    """Its bytes are not what they say they are."""
