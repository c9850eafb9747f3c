"""What the headers of a mail say: who, when, in answer to what, and whether a machine sent it."""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import parsedate_to_datetime
from hashlib import sha256

from connectors.mail.letter import LONGEST_HEADER, Headers
from connectors.mail.plain import decoded, visible

_FOLDED = re.compile(r"\s+")
_MESSAGE_ID = re.compile(r"<([!-;=?-~]{1,900})>")
_PREFIX = re.compile(r"\s*(?:re|aw|sv|fwd?|wg|tr|rv|antw)\s*(?:\[\d+\])?\s*:\s*", re.IGNORECASE)
_MOST_WORDS = 200  # encoded words a header; each costs, and no honest subject has more
_MOST_REFERENCES = 100
_NEVER = datetime.min.replace(tzinfo=UTC)


def header(raw: str) -> str:
    """One header, decoded by RFC 2047, on one line, of bounded length. Never raises."""
    text = raw[: 8 * LONGEST_HEADER]
    if "=?" in text and text.count("=?") <= _MOST_WORDS:
        with suppress(HeaderParseError, ValueError):  # binascii's error is a ValueError
            text = "".join(_word(*each) for each in decode_header(text))
    return _FOLDED.sub(" ", visible(_plain(text))).strip()[:LONGEST_HEADER]


def message_id(headers: Headers) -> str:
    """The mail's identity at every inbox: its Message-ID, or a digest of what stands in its place.

    RFC 5322, 3.6.4: a Message-ID is unique to a message. A copy of a mail without one is known by
    when it was sent, by whom, to whom and about what, which no server rewrites.
    """
    match = _MESSAGE_ID.search(headers.get("message-id"))
    if match:
        return match[1]
    told = "\n".join(headers.get(name) for name in ("date", "from", "to", "subject"))
    return f"sha256:{sha256(told.encode(errors='replace')).hexdigest()}"


def parents(headers: Headers) -> tuple[str, ...]:
    """The mails that this one answers, the nearest first."""
    answered = _MESSAGE_ID.findall(headers.get("in-reply-to"))[:1]
    chain = _MESSAGE_ID.findall(headers.get("references"))[-_MOST_REFERENCES:]
    return tuple(dict.fromkeys([*answered, *reversed(chain)]))


def thread_of(headers: Headers) -> str:
    """The mail that a conversation began with, as far as this one knows it."""
    chain = _MESSAGE_ID.findall(headers.get("references"))
    return chain[0] if chain else next(iter(parents(headers)), message_id(headers))


def topic(subject: str) -> str:
    """A subject without its ``Re:`` and ``Fwd:``."""
    while match := _PREFIX.match(subject):
        subject = subject[match.end() :]
    return subject.strip()


def sent_at(headers: Headers) -> datetime | None:
    """When the sender says that it was sent; an inbox knows better when it came."""
    with suppress(ValueError, TypeError, OverflowError):
        moment = parsedate_to_datetime(headers.get("date"))
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(aware.astimezone(UTC), _NEVER)
    return None


def bulk(headers: Headers) -> str:
    """Why nobody wrote this to anybody in particular; nothing, if somebody may have.

    RFC 2919 (List-Id), RFC 2369 and 8058 (List-Unsubscribe), RFC 3834 (Auto-Submitted), and what
    mail systems have agreed on without a standard.
    """
    automatic = headers.get("auto-submitted").lower().partition(";")[0].strip()
    if automatic not in {"", "no"}:
        return f"a machine sent it ({automatic})"
    precedence = headers.get("precedence").lower()
    if precedence in {"bulk", "junk", "list"}:
        return f"it was sent in bulk (Precedence: {precedence})"
    if headers.has("list-unsubscribe"):
        return "it was sent in bulk, with a way to unsubscribe"
    if name := headers.get("list-id"):
        return f"it came over the mailing list {name[:100]}"
    if headers.has("x-auto-response-suppress") and headers.has("feedback-id"):
        return "a machine sent it"
    return ""


def fields(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Headers out of raw names and values."""
    return Headers(tuple((name.lower(), header(value)) for name, value in pairs))


def _word(content: bytes | str, charset: str | None) -> str:
    if isinstance(content, str):
        return content
    # What stands between encoded words comes in the encoding that Python keeps it in.
    return decoded(content, charset) if charset else content.decode("raw-unicode-escape", "replace")


def _plain(text: str) -> str:
    """Bytes that no charset was named for are surrogates by now."""
    if text.isascii():
        return text
    try:
        return decoded(text.encode("utf-8", "surrogateescape"), "utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
