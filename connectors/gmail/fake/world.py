"""A mailbox that changes and remembers how, and what it charges for looking at it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from connectors.fakes.google import Service


@dataclass(slots=True)
class Message:
    id: str
    thread: str
    raw: bytes
    labels: list[str]
    received_ms: int
    history: int


@dataclass(frozen=True, slots=True)
class Happening:
    """``kind`` is the key of Gmail's history record."""

    id: int
    kind: str
    message: str
    thread: str
    labels: tuple[str, ...]  # of the message, afterwards
    changed: tuple[str, ...] = ()


@dataclass(slots=True)
class World(Service):
    """``forgotten`` is the history up to which nothing is known any more.

    ``topic`` is told of changes, if anybody asked for it.
    """

    address: str = "ann@example.org"
    messages: dict[str, Message] = field(default_factory=dict[str, Message])
    happened: list[Happening] = field(default_factory=list[Happening])
    history: int = 1_000
    forgotten: int = 0
    topic: str | None = None
    _number: int = 0
    _listing: list[Message] = field(default_factory=list[Message])
    _listed_at: int = 0

    def deliver(
        self, raw: bytes, *, thread: str = "", labels: Sequence[str] = ("INBOX", "UNREAD")
    ) -> str:
        """Put a mail into the mailbox; without ``thread`` it begins one. Answers its id."""
        self._number += 1
        name = f"{0x18C0000000000000 + self._number * 0x1001:x}"
        message = Message(
            name, thread or name, raw, list(labels), 1_700_000_000_000 + self._number * 60_000, 0
        )
        self.messages[name] = message
        self._note("messagesAdded", message)
        return name

    def delete(self, name: str) -> None:
        self._note("messagesDeleted", self.messages.pop(name))

    def label(self, name: str, *added: str, removed: Sequence[str] = ()) -> None:
        message = self.messages[name]
        message.labels = [label for label in message.labels if label not in removed] + [*added]
        if added:
            self._note("labelsAdded", message, added)
        if removed:
            self._note("labelsRemoved", message, tuple(removed))

    def forget(self) -> None:
        """Forget all history so far, and where listings were."""
        self.history += 7
        self.forgotten = self.history

    def listing(self) -> list[Message]:
        """What a search for all but drafts and chats finds, the newest first."""
        if self._listed_at != self.history:
            aside = {"TRASH", "SPAM", "DRAFT", "CHAT"}
            found = (each for each in self.messages.values() if not aside.intersection(each.labels))
            self._listing = sorted(found, key=lambda each: each.received_ms, reverse=True)
            self._listed_at = self.history
        return self._listing

    def thread(self, name: str) -> list[Message]:
        return [each for each in self.messages.values() if each.thread == name]

    def _note(self, kind: str, message: Message, changed: tuple[str, ...] = ()) -> None:
        self.history += 3  # they grow, and have gaps
        message.history = self.history
        labels = tuple(message.labels)
        self.happened.append(
            Happening(self.history, kind, message.id, message.thread, labels, changed)
        )
