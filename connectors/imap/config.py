"""What a user states about an inbox, and how far a read of it has come."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from connectors.artifact import PartitionKey
from connectors.events import Cursor

MOST_MAILBOXES = 200
_MAILBOX = "mailbox:"
Name = Annotated[str, Field(min_length=1, max_length=200)]


class Encryption(StrEnum):
    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"  # only to an address that the operator counts as their own network


class ImapConfig(BaseModel):
    """An inbox. The password or token is no part of it: that is the connection's credential."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field(
        min_length=1,
        max_length=253,
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$",
        title="Server",
        description="The name of the IMAP server.",
        examples=["imap.example.org"],
    )
    port: int = Field(default=993, ge=1, le=65_535, title="Port")
    encryption: Encryption = Field(
        default=Encryption.TLS,
        title="Encryption",
        description="STARTTLS is usual at port 143; none works in the operator's network only.",
    )
    user: str = Field(
        default="",
        max_length=320,
        title="User",
        description="The address to sign in as; needed with a token, which names nobody.",
    )
    mailboxes: tuple[Name, ...] = Field(
        default=(),
        max_length=MOST_MAILBOXES,
        title="Mailboxes",
        description="Only these; if none is named, all but drafts, junk and trash.",
        examples=[["INBOX", "Sent"]],
    )


class Place(BaseModel):
    """How far one mailbox was read: downwards to ``below``, and everything above up to ``top``.

    ``messages`` is how many there were when ``top`` was the highest. UIDs mean nothing without
    ``validity``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    validity: int
    top: int
    below: int
    messages: int


class ImapCursor(Cursor):
    v: Literal[1] = 1
    places: Mapping[str, Place] = Field(default_factory=dict[str, Place])
    done: bool = False


def scope_of(mailbox: str) -> PartitionKey:
    """What the mailbox is called in a picker."""
    return PartitionKey(f"{_MAILBOX}{mailbox}")


def narrow(config: ImapConfig, chosen: Sequence[PartitionKey]) -> ImapConfig:
    """The same inbox, of which only these mailboxes are read."""
    names = tuple(key.removeprefix(_MAILBOX) for key in chosen)
    return config.model_copy(update={"mailboxes": names})
