"""Characters of a mail: out of whatever charset, without those that nobody can see."""

import re
from contextlib import suppress

# What shows nothing and can carry a message to a model: zero-width, bidirectional overrides, tags.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]"
)
# Joiners are letters to Persian and to emoji; in a row or beside a blank they fill preview lines.
_IDLE_JOINERS = re.compile("(?<![^\\s\u200c\u200d])[\u200c\u200d]+|[\u200c\u200d]+(?=\\s|$)")
_AMBIGUOUS = re.compile(
    rb"[\x00\x1b]"
)  # UTF-16 and ISO-2022 are valid UTF-8, and say something else in it
_BLANKS = re.compile(r"[^\S\n]+")
_GAPS = re.compile(r"\n{3,}")
# Python calls them text encodings, no mail does.
_NO_CHARSETS = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape",
                          "unicode-escape", "raw-unicode-escape"})  # fmt: skip
_USUAL = {"us-ascii": "utf-8", "ascii": "utf-8", "iso-8859-1": "cp1252", "latin-1": "cp1252",
          "ks_c_5601-1987": "cp949", "gb2312": "gb18030", "gbk": "gb18030", "x-sjis": "cp932",
          "shift_jis": "cp932", "windows-874": "cp874", "unicode-1-1-utf-7": "utf-7",
          "iso-8859-8-i": "iso-8859-8", "iso-8859-6-i": "iso-8859-6"}  # fmt: skip


def decoded(content: bytes, charset: str) -> str:
    """As UTF-8 if it is that, else as it says of itself, else as Windows would. Never raises.

    UTF-8 first: it is hardly ever right by accident, and Gmail hands out UTF-8 under old names.
    """
    if not _AMBIGUOUS.search(content):
        with suppress(UnicodeDecodeError):
            return content.decode()
    name = charset.strip().strip("\"'").lower()
    if name not in _NO_CHARSETS:
        with suppress(LookupError, ValueError):
            return content.decode(_USUAL.get(name, name), "replace")
    return content.decode("cp1252", "replace")


def visible(text: str) -> str:
    """Without characters that show nothing."""
    return _IDLE_JOINERS.sub("", _UNSEEN.sub("", text))


def tidied(text: str) -> str:
    """Visible, with single blanks, no more than one empty line in a row, and LF for a line end."""
    lines = visible(text.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
    return _GAPS.sub("\n\n", "\n".join(_BLANKS.sub(" ", line).rstrip() for line in lines)).strip()
