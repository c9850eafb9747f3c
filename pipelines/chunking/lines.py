"""Text of a language we have no grammar for: lines, by their indentation and blank lines."""

import re

from pipelines.chunking.outline import Outline
from pipelines.chunking.places import is_sound

_LINE_BREAKS = re.compile(r"\n((?:[^\S\n]*+\n)*+)([^\S\r\n]*+)")
_DEEPEST = 100
_WEAKEST = 1_000
_CLOSING = frozenset("})]<")  # ends what is above it; for `<`, it may do so


def outline(text: str) -> Outline:
    """Break before the lines with the least indentation, and rather where a line is blank."""
    breaks = {m.start(2): _strength(text, m) for m in _LINE_BREAKS.finditer(text)}
    if breaks and not is_sound(text, last := max(breaks)):
        del breaks[last]  # the file ends in blank lines
    if "\r" in text:
        breaks = {at: strength for at, strength in breaks.items() if is_sound(text, at)}
    return Outline(breaks)


def _strength(text: str, match: re.Match[str]) -> int:
    start = match.end()
    if text[start : start + 1] in _CLOSING and text[start : start + 2] != "</":
        return _WEAKEST
    indent = min(start - match.start(2), _DEEPEST)
    return 1 + 2 * indent + (not match[1])
