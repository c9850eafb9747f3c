"""Mails in the shape that Gmail gives them: a tree of parts, the files in it left out."""

import base64
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message as Mail
from email.policy import compat32
from typing import Any

from connectors.gmail.fake.world import Happening, Message
from connectors.mail import headers


def reference(message: Message) -> dict[str, Any]:
    return {"id": message.id, "threadId": message.thread}


def full(message: Message) -> dict[str, Any]:
    """The format ``full``."""
    return {
        **reference(message),
        "labelIds": message.labels,
        "snippet": "",
        "historyId": str(message.history),
        "internalDate": str(message.received_ms),
        "sizeEstimate": len(message.raw),
        "payload": _part(message_from_bytes(message.raw, policy=compat32), "", message.id),
    }


def files(message: Message) -> dict[str, bytes]:
    """What is attached, by its attachment id."""
    return dict(_files(message_from_bytes(message.raw, policy=compat32), "", message.id))


def record(happening: Happening) -> dict[str, Any]:
    message = {"id": happening.message, "threadId": happening.thread}
    told: dict[str, Any] = {"message": {**message, "labelIds": list(happening.labels)}}
    if happening.changed:
        told["labelIds"] = list(happening.changed)
    return {"id": str(happening.id), "messages": [message], happening.kind: [told]}


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()


def _part(mail: "Mail[Any, Any]", place: str, message: str) -> dict[str, Any]:
    payload: Any = mail.get_payload()
    made: dict[str, Any] = {
        "partId": place,
        "mimeType": mail.get_content_type(),
        "filename": headers.header(mail.get_filename() or ""),
        "headers": [{"name": k, "value": headers.header(str(v))} for k, v in mail.items()],
        "body": {"size": 0},
    }
    if isinstance(payload, list):
        made["parts"] = [_part(each, _inner(place, n), message) for n, each in enumerate(payload)]
        return made
    content = _content(mail)
    made["body"] = {"size": len(content)}
    if made["filename"]:
        made["body"]["attachmentId"] = f"ANGj-{message}-{place}"
    else:
        made["body"]["data"] = encoded(content)
    return made


def _files(mail: "Mail[Any, Any]", place: str, message: str) -> Iterator[tuple[str, bytes]]:
    payload: Any = mail.get_payload()
    if isinstance(payload, list):
        for number, each in enumerate(payload):
            yield from _files(each, _inner(place, number), message)
    elif mail.get_filename():
        yield f"ANGj-{message}-{place}", _content(mail)


def _content(mail: "Mail[Any, Any]") -> bytes:
    content = mail.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _inner(place: str, number: int) -> str:
    return f"{place}.{number}" if place else str(number)
