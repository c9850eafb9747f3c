"""What an IMAP server answers, as values: mailboxes, and the mails in them before download."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from connectors.artifact import ExternalId
from connectors.mail import headers, mime
from connectors.mail.letter import Headers, MailUnreadable

FIELDS = (
    "MESSAGE-ID DATE FROM TO SUBJECT IN-REPLY-TO REFERENCES LIST-ID LIST-UNSUBSCRIBE PRECEDENCE "
    "AUTO-SUBMITTED X-AUTO-RESPONSE-SUPPRESS FEEDBACK-ID"
)
LISTED = ("RFC822.SIZE", "INTERNALDATE", f"BODY.PEEK[HEADER.FIELDS ({FIELDS})]<0.65536>")
_ID = "mail:"
_LEFT_OUT = frozenset({b"\\trash", b"\\junk", b"\\drafts", b"\\noselect", b"\\nonexistent"})
_LEFT_OUT_NAMES = frozenset({
    "trash", "junk", "spam", "drafts", "deleted items", "deleted messages", "junk e-mail",
    "bulk mail", "papierkorb", "entwürfe", "corbeille", "brouillons", "papelera", "borradores",
    "inbox.trash", "inbox.junk", "inbox.spam", "inbox.drafts",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mailbox:
    name: str
    flags: frozenset[bytes]  # in lower case


@dataclass(frozen=True, slots=True)
class Status:
    """``next_uid`` is above every UID that there is (RFC 3501, 2.3.1.1)."""

    validity: int
    next_uid: int
    messages: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A mail as the server lists it. ``bulk`` says why it was written to nobody in particular."""

    id: ExternalId
    mailbox: str
    uid: int
    version: str
    size: int
    title: str
    parent: str
    bulk: str
    received_at: datetime | None


def wanted(mailboxes: Sequence[Mailbox]) -> list[str]:
    """Those to read if nobody chose: what was received and sent, and not what was thrown away.

    Where one mailbox holds everything (RFC 6154, as at Gmail), the others are views of it.
    """
    everything = [box.name for box in mailboxes if b"\\all" in box.flags]
    if everything:
        return everything[:1]
    kept = [box for box in mailboxes if not box.flags & _LEFT_OUT]
    named = [box for box in kept if box.name.lower() not in _LEFT_OUT_NAMES]
    return [box.name for box in sorted(named, key=_rank)]


def external_id(message_id: str) -> ExternalId:
    """The same in every mailbox, on every server, and after every renumbering."""
    return ExternalId(_ID + message_id.replace("%", "%25"))


def message_id_of(external_id: ExternalId) -> str | None:
    """What to search for, None for a mail that bears no Message-ID."""
    message_id = external_id.removeprefix(_ID).replace("%25", "%")
    return None if message_id.startswith("sha256:") else message_id


def entry(mailbox: str, uid: int, row: Mapping[bytes, object]) -> Entry:
    """A row of ``FETCH``.

    The version is made of what copies have in common, and the size: flags and places change
    without the mail, and a draft that is saved again keeps its Message-ID.
    """
    block = next((value for key, value in row.items() if key.startswith(b"BODY[HEADER")), b"")
    raw = block if isinstance(block, bytes) else b""
    top = _headers(raw)
    size, received = row.get(b"RFC822.SIZE"), row.get(b"INTERNALDATE")
    size = size if isinstance(size, int) else 0
    named = headers.message_id(top)
    if not any(top.get(name) for name in ("message-id", "date", "from", "to", "subject")):
        named = f"sha256:{_digest(f'{size} {received}')}"
    told = "\n".join([named, top.get("date"), top.get("from"), top.get("subject"), str(size)])
    return Entry(
        id=external_id(named),
        mailbox=mailbox,
        uid=uid,
        version=_digest(told)[:32],
        size=size,
        title=top.get("subject"),
        parent=next(iter(headers.parents(top)), ""),
        bulk=headers.bulk(top),
        received_at=received.astimezone(UTC) if isinstance(received, datetime) else None,
    )


def any_of(message_ids: Sequence[str]) -> list[str]:
    """A search for each of these."""
    each = [["HEADER", "Message-ID", message_id] for message_id in message_ids]
    found = each[-1]
    for one in each[-2::-1]:
        found = ["OR", *one, *found]
    return found


def _headers(raw: bytes) -> Headers:
    try:
        return mime.letter(raw).headers
    except MailUnreadable:
        return Headers(())


def _digest(text: str) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()


def _rank(box: Mailbox) -> tuple[int, str]:
    if box.name.upper() == "INBOX":
        return 0, ""
    return (1 if b"\\sent" in box.flags or box.name.lower().startswith("sent") else 2), box.name
