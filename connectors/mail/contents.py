"""What is staged of a mail that was read: itself, and the files in it whose text can be read."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

from connectors.artifact import Artifact, Ref, SkipReason, part_of
from connectors.connector import Content
from connectors.documents.kinds import kind_of
from connectors.events import Skipped
from connectors.mail.letter import Part
from connectors.mail.rendering import Rendered

MOST_FILES = 50
MOST_FILE_BYTES = 1_000_000
MOST_DOCUMENT_BYTES = 10_000_000
_TEXTS = frozenset({
    "application/json", "application/xml", "application/x-yaml", "application/sql",
    "application/x-sh", "application/toml", "text/calendar", "text/csv", "text/markdown",
    "text/plain", "text/html",
    "text/x-diff", "text/x-patch", "text/x-python", "text/xml", "text/yaml",
})  # fmt: skip


def content(
    mail: Rendered, artifact: Artifact, *, received_at: datetime | None
) -> Content | Skipped:
    """What to keep of a mail; a skip for one that was written to nobody in particular."""
    if mail.bulk:
        return Skipped(artifact.ref, SkipReason.BULK, mail.bulk, mail.title, artifact.size)
    meta = {
        "message_id": mail.message_id,
        "thread": mail.thread,
        "from": mail.sender,
        **({"in_reply_to": mail.parents[0]} if mail.parents else {}),
        **({"cut": "true"} if mail.cut else {}),
    }
    told = replace(
        artifact,
        title=mail.title,
        mime="message/rfc822",
        created_at=received_at or mail.sent_at,
        meta={**artifact.meta, **meta},
    )
    return Content(mail.text.encode(), told, tuple(_files(mail, told)))


def is_wanted(part: Part) -> bool:
    """Whether a file is worth its download."""
    if not part.name or part.size <= 0:
        return False
    if kind_of(part.mime, part.name):
        return part.size <= MOST_DOCUMENT_BYTES
    return part.mime in _TEXTS and part.size <= MOST_FILE_BYTES


def _files(mail: Rendered, whole: Artifact) -> Iterator[Content]:
    """One a content: a file that is attached twice is there once."""
    wanted = [part for part in mail.attachments if part.content and is_wanted(part)]
    by_digest = {sha256(part.content or b"").hexdigest(): part for part in wanted}
    for digest, part in list(by_digest.items())[:MOST_FILES]:
        ref = Ref(whole.ref.partition, part_of(whole.ref.external_id, digest[:32]))
        artifact = replace(
            whole,
            ref=ref,
            version=digest,
            kind="attachment",
            title=part.name,
            path=part.name.replace("/", "_"),
            mime=part.mime,
            size=part.size,
            meta={"message_id": mail.message_id},
        )
        yield Content(part.content or b"", artifact)
