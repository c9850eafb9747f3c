"""Mails on their way in: by threads where that is cheaper, in batches, with the files worth it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from connectors.artifact import Artifact, Ref
from connectors.connector import Fetched
from connectors.errors import ArtifactGone, ArtifactUnreadable, ConnectorError
from connectors.gmail import protocol
from connectors.gmail.protocol import message_of
from connectors.gmail.quota import Call, Prices, is_cheaper_whole
from connectors.google.client import Ask, Question
from connectors.google.refusals import Answer
from connectors.google.session import Session
from connectors.mail import headers
from connectors.mail.attached import Cells, legible
from connectors.mail.contents import MOST_FILES, is_wanted
from connectors.mail.reading import Mail, read

Got = Answer | ConnectorError


@dataclass(slots=True)
class Fetching:
    """``thread_of`` are the threads of those mails that were listed."""

    session: Session
    prices: Prices
    cells: Cells
    thread_of: Mapping[str, str]

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        wanted = {message_of(ref.external_id): ref for ref in refs}
        messages = await self._messages(list(wanted))
        files = await self._files(messages)
        return {ref: await self._read(ref, messages[key], files) for key, ref in wanted.items()}

    async def _messages(self, ids: Sequence[str]) -> dict[str, Got]:
        threads: dict[str, list[str]] = {}
        for each in ids:
            threads.setdefault(self.thread_of.get(each, f"of {each}"), []).append(each)
        questions: dict[str, Question] = {}
        for thread, members in threads.items():
            if len(members) > 1 and is_cheaper_whole(len(members), self.prices):
                questions[f"thread {thread}"] = self._question(
                    Call.THREAD, partial(_thread, thread)
                )
            else:
                single = {
                    each: self._question(Call.MESSAGE, partial(_message, each)) for each in members
                }
                questions |= single
        answers = await self.session.many(questions)
        found: dict[str, Got] = {}
        for key, answer in answers.items():
            if not key.startswith("thread "):
                found[key] = answer
            elif isinstance(answer, ConnectorError):
                found |= dict.fromkeys(threads[key.removeprefix("thread ")], answer)
            else:
                found |= {each["id"]: each for each in answer.get("messages", ())}
        gone = ArtifactGone("Gmail does not have it any more")
        return {each: found.get(each, gone) for each in ids}

    async def _files(self, messages: Mapping[str, Got]) -> Mapping[str, bytes]:
        """The attachments whose text can be read, by their places."""
        questions = {
            part.place: self._question(Call.ATTACHMENT, partial(_file, key, part.place))
            for key, message in messages.items()
            if not isinstance(message, ConnectorError) and not _is_bulk(message)
            for part in [each for each in protocol.files(message) if is_wanted(each)][:MOST_FILES]
        }
        answers = await self.session.many(questions)
        return {
            place: protocol.bytes_of(answer.get("data", ""))
            for place, answer in answers.items()
            if not isinstance(answer, ConnectorError)
        }

    def _question(self, call: Call, ask: Ask) -> Question:
        return Question(self.prices.units[call], ask)

    async def _read(self, ref: Ref, message: Got, files: Mapping[str, bytes]) -> Fetched:
        if isinstance(message, ConnectorError):
            return message
        received = protocol.received_at(message)
        told = Artifact(
            ref=ref,
            version="1",
            kind="message",
            title="",
            size=message.get("sizeEstimate"),
            created_at=received,
            meta={
                "gmail_thread": message["threadId"],
                "labels": ",".join(sorted(message.get("labelIds", ()))),
            },
        )
        # A thread bears the id of its first mail: any other answers one that is here.
        known = message["threadId"] != message["id"]
        try:
            mail = await read(self.cells.mail, Mail(protocol.letter(message, files), known=known))
        except ArtifactUnreadable as error:
            return error
        return await legible(self.cells, mail, told, received_at=received)


def _is_bulk(message: Answer) -> bool:
    return bool(headers.bulk(protocol.letter(message, {}).headers))


def _message(message: str, gmail: Any) -> Any:
    return gmail.users().messages().get(userId="me", id=message, format="full")


def _thread(thread: str, gmail: Any) -> Any:
    return gmail.users().threads().get(userId="me", id=thread, format="full")


def _file(message: str, place: str, gmail: Any) -> Any:
    return gmail.users().messages().attachments().get(userId="me", messageId=message, id=place)
