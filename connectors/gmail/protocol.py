"""Gmail's answers as values: pages of ids, what happened, and a message taken apart."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.policy import compat32
from typing import Any

from connectors.artifact import ExternalId
from connectors.mail import headers, mime
from connectors.mail.letter import MOST_NESTED, MOST_PARTS, Letter, Part
from connectors.mail.mime import Branch

Answer = Mapping[str, Any]
QUERY = "-in:drafts -in:chats"
_ASIDE = frozenset({"TRASH", "SPAM", "DRAFT", "CHAT"})
_ID = "gmail:"
_LAST_SECOND = 253_402_300_799


@dataclass(frozen=True, slots=True)
class Listed:
    id: str
    thread: str


@dataclass(frozen=True, slots=True)
class Change:
    """A mail came (or came back), or is gone from where we look."""

    id: str
    thread: str
    gone: bool


@dataclass(frozen=True, slots=True)
class History:
    """``anchor`` is where the next look begins; ``more`` if there is more to see at once.

    ``shrank`` if anything left our sight, though it may have come back.
    """

    changes: Sequence[Change]
    anchor: str
    more: bool
    shrank: bool


def external_id(message: str) -> ExternalId:
    return ExternalId(_ID + message)


def message_of(external_id: ExternalId) -> str:
    return external_id.removeprefix(_ID)


def listed(answer: Answer) -> tuple[list[Listed], str]:
    """The mails of a page, and the token of the next one, if there is one."""
    found = [Listed(each["id"], each["threadId"]) for each in answer.get("messages", ())]
    return found, answer.get("nextPageToken", "")


def threads(page: Sequence[Listed]) -> dict[str, list[str]]:
    """The mails by their threads, each where its newest mail is."""
    found: dict[str, list[str]] = {}
    for each in page:
        found.setdefault(each.thread, []).append(each.id)
    return found


def history(answer: Answer, *, anchor: str) -> History:
    """What a page of history comes to: of a mail that came and went, the last that was said."""
    changes: dict[str, Change] = {}
    shrank = False
    for record in answer.get("history", ()):
        for change in _changes(record):
            shrank = shrank or change.gone
            changes.pop(change.id, None)
            changes[change.id] = change
        anchor = record.get("id", anchor)
    more = bool(answer.get("nextPageToken"))
    return History(tuple(changes.values()), anchor if more else answer["historyId"], more, shrank)


def received_at(message: Answer) -> datetime | None:
    """When Gmail took it in; what the mail says itself is its sender's to choose."""
    stamp = message.get("internalDate", "")
    if not stamp.isdigit():
        return None
    return datetime.fromtimestamp(min(int(stamp) // 1000, _LAST_SECOND), UTC)


def letter(message: Answer, files: Mapping[str, bytes]) -> Letter:
    """A message of the format ``full``, with those of its files that were downloaded."""
    payload = message.get("payload", {})
    top = headers.fields((each["name"], each["value"]) for each in payload.get("headers", ()))
    return mime.assemble(top, _branch(payload, files, 0), cut=False)


def files(message: Answer) -> list[Part]:
    """What is attached and was not sent along; ``place`` is what to ask for it by."""
    attached = letter(message, {}).attachments
    return [part for part in attached if part.place]


def _branch(payload: Answer, got: Mapping[str, bytes], depth: int) -> Branch | Part:
    parts = payload.get("parts", ())[:MOST_PARTS]
    if not parts or depth > MOST_NESTED:
        return _part(payload, got)
    children = [_branch(each, got, depth + 1) for each in parts]
    if payload.get("mimeType", "") == "message/rfc822" and len(children) == 1:
        inner = headers.fields((h["name"], h["value"]) for h in parts[0].get("headers", ()))
        return mime.forwarded(inner, children[0])
    return Branch(children, alternative=payload.get("mimeType") == "multipart/alternative")


def _part(payload: Answer, got: Mapping[str, bytes]) -> Part:
    body = payload.get("body", {})
    described: Message[Any, Any] = Message(policy=compat32)
    for each in payload.get("headers", ()):
        if each["name"].lower() in {"content-type", "content-disposition"}:
            described[each["name"]] = each["value"].replace("\r", " ").replace("\n", " ")
    place = body.get("attachmentId", "")
    content = got.get(place) if place else bytes_of(body.get("data", ""))
    return mime.part(described, content, size=body.get("size", 0), place=place)


def bytes_of(data: str) -> bytes:
    """Gmail's base64url, with or without its padding."""
    try:
        return base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
    except (binascii.Error, ValueError):
        return b""


def _changes(record: Answer) -> list[Change]:
    found: list[Change] = []
    for key, gone in (("messagesAdded", False), ("messagesDeleted", True)):
        for each in record.get(key, ()):
            message = each["message"]
            aside = bool(_ASIDE.intersection(message.get("labelIds", ())))
            found.append(Change(message["id"], message["threadId"], gone or aside))
    for key, gone in (("labelsAdded", True), ("labelsRemoved", False)):
        for each in record.get(key, ()):
            message = each["message"]
            if _ASIDE.intersection(each.get("labelIds", ())):
                still = bool(_ASIDE.intersection(message.get("labelIds", ())))
                found.append(Change(message["id"], message["threadId"], gone or still))
    return found
