"""A text as a model may see it: without what nobody sees, and without secrets.

What is not drawn (zero-width characters, marks that turn the direction of writing, the plane of
tags, private use) can carry instructions that no person reads, and is left out. A secret becomes as
many blocks as it had characters. So every place in what was sent has its place in the text.
"""

from bisect import bisect_right
from dataclasses import dataclass

import re2  # type: ignore[import-untyped]  # the wheel ships no types

BLOCK = "█"

# Unicode's default-ignorable code points, but for what emoji and Arabic or Indic words need inside:
# https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point. The control characters too.
_HIDDEN = re2.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{ad}\x{34f}\x{61c}\x{115f}\x{1160}\x{17b4}\x{17b5}"
    r"\x{180b}-\x{180f}\x{200b}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}\x{3164}"
    r"\x{fe00}-\x{fe0e}\x{feff}\x{ffa0}\x{fff0}-\x{fffb}\x{1bca0}-\x{1bca3}\x{1d173}-\x{1d17a}"
    r"\x{e000}-\x{f8ff}\x{e0000}-\x{e0fff}\x{f0000}-\x{10ffff}]"
)

# Keys that say what they are by how they begin, as their issuers document them, and the bodies of
# PEM keys. What has no such beginning cannot be told from an id, and stays.
_SECRETS = re2.compile(
    r"(?:"
    r"\b(?:sk|rk|pk)[-_](?:live|test|proj|ant|svcacct|or)[-_][A-Za-z0-9_-]{16,}"  # Stripe, OpenAI …
    r"|\bsk-[A-Za-z0-9]{32,}"
    r"|\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{22,}"
    r"|\bglpat-[A-Za-z0-9_-]{20,}"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bAIza[A-Za-z0-9_-]{35}|\bya29\.[A-Za-z0-9_-]{20,}|\b1//0[A-Za-z0-9_-]{20,}"
    r"|\bGOCSPX-[A-Za-z0-9_-]{20,}"
    r"|\b(?:hf|npm|dop_v1|doo_v1|shpat|shpss|pypi|sq0atp|sq0csp|SG|whsec|hw)[_.-][A-Za-z0-9_.-]{20,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"  # a JSON web token
    r"|-----BEGIN (?:[A-Z ]+ )?PRIVATE KEY-----[A-Za-z0-9+/=\s]+"
    r"|://[^\s/:@]{1,64}:[^\s/@]{6,}@"  # a password in an address
    r")"
)


@dataclass(frozen=True, slots=True)
class Clean:
    """``text`` is what a model may see. ``hidden`` and ``secrets`` count what it may not."""

    text: str
    hidden: int
    secrets: int
    _gaps: tuple[int, ...]
    """For each character left out, in order, how many were kept before it."""

    def origin(self, place: int) -> int:
        """Where the character at ``place`` stands in the text that was cleaned."""
        return place + bisect_right(self._gaps, place)


def clean(text: str) -> Clean:
    text = text.encode("utf-8", "replace").decode()  # half a surrogate pair is one question mark
    gaps: list[int] = []
    kept: list[str] = []
    end = 0
    for found in _HIDDEN.finditer(text):
        kept.append(text[end : found.start()])
        gaps.append(found.start() - len(gaps))
        end = found.end()
    visible = "".join(kept) + text[end:] if gaps else text
    masked, secrets = _masked(visible)
    return Clean(masked, len(gaps), secrets, tuple(gaps))


def _masked(text: str) -> tuple[str, int]:
    found = [match.span() for match in _SECRETS.finditer(text)]
    end, parts = 0, list[str]()
    for start, stop in found:
        parts += [text[end:start], BLOCK * (stop - start)]
        end = stop
    return "".join([*parts, text[end:]]), len(found)
