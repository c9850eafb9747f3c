"""A letter as the text that is kept of it: who wrote what to whom, and what was attached."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.mail import headers, html, quotes
from connectors.mail.letter import Letter, Part
from connectors.mail.plain import decoded, tidied

MOST_CHARACTERS = 300_000
_MOST_PEOPLE = 10
_LISTED = 50  # attachments that a text names one by one
_STUB = 0.25  # plain text that is so much shorter than the HTML only points to it
NO_SUBJECT = "(no subject)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """``bulk`` says why it is for nobody in particular, if so; ``cut`` if not all of it is here."""

    text: str
    title: str
    message_id: str
    thread: str
    parents: tuple[str, ...]
    sender: str
    sent_at: datetime | None
    bulk: str
    attachments: Sequence[Part]
    cut: bool


def render(letter: Letter, *, known: bool) -> Rendered:
    """The same letter gives the same text, from whichever inbox it came.

    ``known`` if the mail it answers is in the same inbox: then what it repeats of it is cut.
    """
    top = letter.headers
    body = "\n\n".join(filter(None, (_wording(parts) for parts in letter.bodies)))
    body = quotes.reply(body[:MOST_CHARACTERS], known=known)
    told = [*_envelope(letter), "", body, *_enclosed(letter)]
    return Rendered(
        text="\n".join(told).strip() + "\n",
        title=top.get("subject") or NO_SUBJECT,
        message_id=headers.message_id(top),
        thread=headers.thread_of(top),
        parents=headers.parents(top),
        sender=top.get("from"),
        sent_at=letter.sent_at,
        bulk=headers.bulk(top),
        attachments=letter.attachments,
        cut=letter.cut or len(body) >= MOST_CHARACTERS or _is_long(letter),
    )


def _is_long(letter: Letter) -> bool:
    return any(part.size > 2 * MOST_CHARACTERS for parts in letter.bodies for part in parts)


def _envelope(letter: Letter) -> list[str]:
    top = letter.headers
    told = {name: top.get(name) for name in ("subject", "from", "to", "cc")}
    told |= {name: _people(told[name]) for name in ("to", "cc")}
    lines = [f"{name.capitalize()}: {text}" for name, text in told.items() if text]
    if letter.sent_at:
        lines.append(f"Date: {letter.sent_at:%Y-%m-%d %H:%M} UTC")
    return lines


def _people(addresses: str) -> str:
    each = addresses.split(", ")
    more = len(each) - _MOST_PEOPLE
    return addresses if more <= 0 else f"{', '.join(each[:_MOST_PEOPLE])} and {more} more"


def _enclosed(letter: Letter) -> list[str]:
    files = [part for part in letter.attachments if part.name]
    if not files:
        return []
    named = [f"- {part.name} ({part.mime})" for part in files[:_LISTED]]
    more = [f"- and {len(files) - _LISTED} more"] if len(files) > _LISTED else []
    return ["", "Attachments:", *named, *more]


def _wording(alternatives: Sequence[Part]) -> str:
    """The best wording of one body: the plain one, unless it only says that there is another."""
    plain = _joined(alternatives, "text/plain")
    if len(alternatives) == 1 and alternatives[0].mime == "text/plain":
        return plain
    rich = _joined(alternatives, "text/html")
    return plain if plain and len(plain) >= _STUB * len(rich) else rich


def _joined(parts: Sequence[Part], mime: str) -> str:
    texts = [
        decoded(part.content[: 2 * MOST_CHARACTERS], part.charset)
        for part in parts
        if part.mime == mime and part.content
    ]
    if mime == "text/html":
        return "\n\n".join(map(html.text, texts))
    return "\n\n".join(map(tidied, texts))
