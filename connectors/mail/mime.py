"""The bytes of a mail taken apart, by the standard library, after it was cut to a bearable size.

The library reads whatever it is given: a subject of 273 KB or 5,000 parts in each other keep it
busy for minutes or end in its recursion. So what is given to it is bounded first, and a mail that
is larger than that is read from its front.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from email.policy import compat32
from typing import Any

from connectors.mail import headers
from connectors.mail.letter import (
    MOST_BYTES,
    MOST_HEADER_BYTES,
    MOST_LINES,
    MOST_NESTED,
    MOST_PARTS,
    Headers,
    Letter,
    MailUnreadable,
    Part,
)

_MOST_FIELD_BYTES = 16_384
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(rb"\n|\r(?!\n)")
_NESTS = re.compile(rb"boundary\*?(?:0\*?)?\s*=|content-type\s*:\s*message/", re.IGNORECASE)
_BOUNDARY = re.compile(
    rb"boundary\s*=\s*(?:\"([^\"\r\n]{1,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE
)
_BODIES = frozenset({"text/plain", "text/html"})


@dataclass(frozen=True, slots=True)
class Branch:
    """Several parts as one: ``alternative`` if each says the same."""

    children: Sequence["Branch | Part"]
    alternative: bool = False


def letter(raw: bytes, *, most_bytes: int = MOST_BYTES) -> Letter:
    """Take a mail (RFC 5322, MIME) apart. Raises ``MailUnreadable`` and nothing else."""
    bounded = _bounded(raw[:most_bytes])
    try:
        message = message_from_bytes(bounded, policy=compat32)
        top, root = _headers(message), _branch(message)
    except Exception as error:
        # What the library raises at hostile input is not written down, and changes.
        raise MailUnreadable(f"It cannot be taken apart: {type(error).__name__}") from error
    if not top.fields:
        raise MailUnreadable("It has no headers, so it is no mail")
    return assemble(top, root, cut=len(bounded) < len(raw))


def assemble(top: Headers, root: Branch | Part, *, cut: bool) -> Letter:
    """A letter out of its parts, in their order: what is read, and what is attached."""
    bodies: list[tuple[Part, ...]] = []
    attachments: list[Part] = []
    _collect(root, bodies, attachments)
    return Letter(
        headers=top,
        bodies=bodies,
        attachments=attachments[:MOST_PARTS],
        sent_at=headers.sent_at(top),
        cut=cut,
    )


def forwarded(inner: Headers, body: Branch | Part) -> Branch:
    """A mail within a mail, introduced by whose it is."""
    told = [f"{name.capitalize()}: {inner.get(name)}" for name in ("from", "date", "subject")]
    intro = "\n".join(["Forwarded mail", *told]).encode()
    part = Part(mime="text/plain", charset="utf-8", name="", content=intro, size=len(intro))
    return Branch((part, body))


def part(
    described: "Message[Any, Any]", content: bytes | None, *, size: int, place: str = ""
) -> Part:
    """A part by the headers that describe it."""
    name = _name(described)
    disposition = str(described.get("content-disposition", "")).strip().lower()
    return Part(
        mime=described.get_content_type()[:100],
        charset=_charset(described),
        name=name,
        content=content,
        size=size,
        attached=disposition.startswith("attachment") or bool(name),
        place=place,
    )


def _collect(root: Branch | Part, bodies: list[tuple[Part, ...]], attachments: list[Part]) -> None:
    if isinstance(root, Part):
        is_body = root.mime in _BODIES and not root.attached
        if is_body:
            bodies.append((root,))
        else:
            attachments.append(root)
        return
    inner: list[tuple[Part, ...]] = []
    for child in root.children:
        _collect(child, inner, attachments)
    if root.alternative:
        inner = [tuple(part for alternatives in inner for part in alternatives)] if inner else []
    bodies += inner


def _branch(message: "Message[Any, Any]", depth: int = 0) -> Branch | Part:
    payload: Any = message.get_payload()
    if isinstance(payload, list) and depth <= MOST_NESTED:
        children = [_branch(child, depth + 1) for child in payload[:MOST_PARTS]]
        if message.get_content_maintype() == "message" and len(children) == 1:
            return forwarded(_headers(payload[0]), children[0])
        return Branch(children, message.get_content_subtype() == "alternative")
    return _part(message)


def _part(message: "Message[Any, Any]") -> Part:
    content = message.get_payload(decode=True)
    body = content if isinstance(content, bytes) else b""
    return part(message, body, size=len(body))


def _name(message: "Message[Any, Any]") -> str:
    try:
        return headers.header(message.get_filename() or "")
    except (ValueError, LookupError, TypeError, AttributeError):
        return "unnamed"  # a parameter by RFC 2231 that the library stumbles over


def _charset(message: "Message[Any, Any]") -> str:
    named = message.get_param("charset", "")
    charset = named[2] if isinstance(named, tuple) else named
    return str(charset or "")[:50]


def _headers(message: "Message[Any, Any]") -> Headers:
    return headers.fields((name, str(value)) for name, value in message.items())


def _bounded(raw: bytes) -> bytes:
    """The mail with a head of bearable size, cut before it has too many parts."""
    end = _END_OF_HEAD.search(raw)
    head, rest = (raw[: end.start()], raw[end.start() :]) if end else (raw, b"")
    whole = _bounded_head(head) + rest
    long = _nth(_LINE_END, whole, MOST_LINES)
    whole = whole if long is None else whole[:long]
    nests = _nth(_NESTS, whole, MOST_NESTED)
    whole = whole if nests is None else whole[: whole.rfind(b"\n", 0, nests) + 1]
    named = {quoted or plain for quoted, plain in _BOUNDARY.findall(whole)}
    if not named:
        return whole
    lines = re.compile(rb"^--(?:" + rb"|".join(map(re.escape, named)) + rb")", re.MULTILINE)
    parts = _nth(lines, whole, MOST_PARTS)
    return whole if parts is None else whole[:parts]


def _bounded_head(head: bytes) -> bytes:
    kept: list[bytes] = []
    total = field = 0
    for line in head[:MOST_BYTES].splitlines(keepends=True):
        field = len(line) if line[:1] not in {b" ", b"\t"} else field + len(line)
        if field <= _MOST_FIELD_BYTES:
            kept.append(line)
        elif field == len(line):
            kept.append(line[:_MOST_FIELD_BYTES] + b"\r\n")
        else:
            continue
        total += len(kept[-1])
        if total > MOST_HEADER_BYTES:
            break
    return b"".join(kept)


def _nth(pattern: re.Pattern[bytes], text: bytes, number: int) -> int | None:
    """Where the pattern is found for the time after ``number`` times."""
    for count, match in enumerate(pattern.finditer(text)):
        if count == number:
            return match.start()
    return None
