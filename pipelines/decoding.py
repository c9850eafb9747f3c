"""Bytes to text: by the byte order mark, as UTF-8, else by what the bytes look like."""

import codecs
from dataclasses import dataclass

import chardet

from connectors.artifact import FailureClass

# UTF-32 first: its mark in little endian starts with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NUL = "it holds NUL bytes, so it is not text"


class Undecodable(Exception):
    """These bytes are no text, or none that we can read."""

    failure = FailureClass.UNDECODABLE
    action = "Save the file as UTF-8, or leave it out."


@dataclass(frozen=True, slots=True)
class Decoded:
    """``encoding`` is a name that Python knows. A byte order mark is not part of the text."""

    text: str
    encoding: str


def decode(data: bytes) -> Decoded:
    """Read bytes as text; raises ``Undecodable``, also for a NUL: PostgreSQL keeps none in text."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _strictly(data, encoding)
    if b"\0" in data:
        raise Undecodable(_NUL)
    try:
        return Decoded(data.decode(), "utf-8")
    except UnicodeDecodeError:
        return _strictly(data, _guess(data))


def _strictly(data: bytes, encoding: str) -> Decoded:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise Undecodable(
            f"it looks like {encoding}, but byte {error.start} does not fit"
        ) from None
    if "\0" in text:
        raise Undecodable(_NUL)
    return Decoded(text, encoding)


def _guess(data: bytes) -> str:
    # The confidence says how sure the language is, not the encoding: right answers have 0.02. Bytes
    # that are no text at all are what comes back without an encoding.
    found = chardet.detect(data, prefer_superset=True, compat_names=False)
    if found["encoding"] is None:
        raise Undecodable(f"its bytes look like {found['mime_type'] or 'no text'}")
    return found["encoding"]
