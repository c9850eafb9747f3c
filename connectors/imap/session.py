"""One connection to an IMAP server, in a thread of its own; its errors in our words.

Only ever read: mailboxes are examined, bodies are peeked at, and nothing is marked as seen.
"""

import asyncio
import imaplib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from imapclient import IMAPClient, SocketTimeout  # type: ignore[import-untyped]  # no types in it
from imapclient.exceptions import (  # type: ignore[import-untyped]  # no types in it
    IMAPClientAbortError,
    IMAPClientError,
    LoginError,
)

from connectors.access import Access, Credential, Grant, Password, refusal
from connectors.egress import Policy
from connectors.errors import (
    Cause,
    CursorExpired,
    ReauthorizationNeeded,
    SourceInvalid,
    SourceMissing,
    SourceUnavailable,
)
from connectors.imap.config import Encryption, ImapConfig
from connectors.imap.protocol import LISTED, Entry, Mailbox, Status, any_of, entry

R = TypeVar("R")
_TIMEOUT = SocketTimeout(connect=15, read=60)
_MOST_LITERAL = 64_000_000
_MANY = 80_000  # UIDs that fit into one line of an answer, which imaplib bounds to 1 MB
_RANGE = 50_000
_SEARCHED = 20  # ids a search; more would be too long a line for some servers
logging.getLogger("imapclient").setLevel(logging.WARNING)  # at DEBUG it logs what is sent


@dataclass(slots=True)
class Session:
    """Signs in with the first call, and again after the connection broke."""

    config: ImapConfig
    access: Access
    policy: Policy
    _client: "_Client | None" = None
    _open: tuple[str, int] = ("", 0)  # the mailbox that is examined, and its validity
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "imap"))

    async def mailboxes(self) -> list[Mailbox]:
        return await self._ask(_mailboxes)

    async def status(self, mailbox: str) -> Status:
        """Raises ``SourceMissing`` for a mailbox that is not there, or not open to us."""
        return await self._ask(lambda client: _status(client, mailbox))

    async def uids(self, mailbox: str, validity: int, low: int, high: int) -> list[int]:
        """The UIDs from ``low`` to ``high``, the newest first."""
        return await self._examined(mailbox, validity, lambda client: _uids(client, low, high))

    async def entries(self, mailbox: str, validity: int, uids: Sequence[int]) -> list[Entry]:
        """Those that are still there, in this order."""
        rows = await self._examined(mailbox, validity, lambda client: client.fetch(uids, LISTED))
        return await asyncio.to_thread(
            lambda: [entry(mailbox, u, rows[u]) for u in uids if u in rows]
        )

    async def listed(
        self, mailbox: str, validity: int, low: int, high: int, *, page: int
    ) -> AsyncIterator[tuple[list[Entry], int]]:
        """The mails from ``low`` to ``high``, the newest first, and how far down each page goes."""
        uids = await self.uids(mailbox, validity, low, high)
        for start in range(0, len(uids), page):
            batch = uids[start : start + page]
            yield await self.entries(mailbox, validity, batch), batch[-1]

    async def bodies(self, mailbox: str, uids: Sequence[int], *, most: int) -> Mapping[int, bytes]:
        """Whole mails, of each no more than ``most`` bytes."""
        item = f"BODY.PEEK[]<0.{most}>"
        rows = await self._examined(mailbox, None, lambda client: client.fetch(uids, [item]))
        return {uid: _body(row) for uid, row in rows.items()}

    async def find(self, mailbox: str, message_ids: Sequence[str]) -> list[Entry]:
        """The mails in a mailbox that bear one of these Message-IDs."""
        found: list[int] = []
        for start in range(0, len(message_ids), _SEARCHED):
            search = any_of(message_ids[start : start + _SEARCHED])
            found += await self._examined(mailbox, None, partial(_search, search))
        rows = await self._examined(mailbox, None, lambda client: client.fetch(found, LISTED))
        return [entry(mailbox, uid, rows[uid]) for uid in sorted(rows, reverse=True)]

    async def close(self) -> None:
        async with self._turn:
            await self._in_thread(self._leave)
        self._thread.shutdown(wait=False)

    async def _examined(
        self, mailbox: str, validity: int | None, ask: "Callable[[_Client], R]"
    ) -> R:
        def work(client: _Client) -> R:
            if self._open[0] != mailbox:
                self._open = ("", 0)
                answer = client.select_folder(mailbox, readonly=True)
                self._open = (mailbox, int(answer.get(b"UIDVALIDITY", 0)))
            if validity is not None and self._open[1] != validity:
                raise CursorExpired(f"The server has numbered {mailbox} anew")
            return ask(client)

        return await self._ask(work)

    async def _ask(self, work: "Callable[[_Client], R]") -> R:
        async with self._turn:
            try:
                client = self._client = self._client or await self._sign_in()
                return await self._in_thread(lambda: work(client))
            except (IMAPClientAbortError, OSError) as error:
                await self._in_thread(self._leave)
                raise SourceUnavailable(f"{self.config.host} broke off: {_said(error)}") from error
            except IMAPClientError as error:
                raise SourceMissing(f"{self.config.host} refused: {_said(error)}") from error

    async def _sign_in(self) -> "_Client":
        credential = await self.access.credential()
        try:
            return await self._in_thread(lambda: self._connect(credential))
        except LoginError:
            renewed = await self.access.renew(credential)
        try:
            return await self._in_thread(lambda: self._connect(renewed))
        except LoginError as error:
            cause = refusal(renewed)
            raise ReauthorizationNeeded(cause, self.config.host, detail=_said(error)) from error

    def _connect(self, credential: Credential) -> "_Client":
        config = self.config
        plain = config.encryption is Encryption.NONE
        address = self.policy.locate(config.host, config.port, plain=plain)
        trust = self.policy.exceptions.trust or ssl.create_default_context()
        client = _Client(config, address, trust)
        client.normalise_times = False
        try:
            if config.encryption is Encryption.STARTTLS:
                client.starttls(trust)
            self._log_in(client, credential)
        except BaseException:
            with suppress(OSError, IMAPClientError):
                client.shutdown()
            raise
        return client

    def _log_in(self, client: "_Client", credential: Credential) -> None:
        try:
            match credential:
                case Password(user=user, password=password):
                    client.login(user, password.get_secret_value())
                case Grant(access_token=token) if self.config.user:
                    client.oauth2_login(self.config.user, token.get_secret_value())
                case Grant():
                    raise SourceInvalid(
                        "A token does not say whose it is",
                        action="Add the address to sign in as to this connection.",
                    )
                case _:
                    raise ReauthorizationNeeded(Cause.MISSING, self.config.host)
        except LoginError as error:
            if any(code in str(error).upper() for code in ("[UNAVAILABLE]", "[THROTTLED]")):
                raise SourceUnavailable(f"{self.config.host} says: {_said(error)}") from None
            raise

    def _leave(self) -> None:
        client, self._client, self._open = self._client, None, ("", 0)
        if client is not None:
            with suppress(OSError, IMAPClientError):
                client.shutdown()

    async def _in_thread(self, work: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


class _Client(IMAPClient):  # type: ignore[misc]  # imapclient has no types
    """Connects to an address that was checked, and trusts the certificate of the host's name."""

    def __init__(self, config: ImapConfig, address: str, trust: ssl.SSLContext) -> None:
        self._address = address
        encrypted = config.encryption is Encryption.TLS
        self._trust = trust if encrypted else None
        super().__init__(
            config.host, config.port, ssl=encrypted, ssl_context=trust, timeout=_TIMEOUT
        )

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802  # imapclient's place to make its line
        return _Line(self._address, self.port, self.host, self._trust)


class _Line(imaplib.IMAP4):
    def __init__(self, address: str, port: int, name: str, trust: ssl.SSLContext | None) -> None:
        self._name, self._trust = name, trust
        super().__init__(address, port, timeout=_TIMEOUT.connect)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        line = socket.create_connection((self.host, self.port), timeout)
        return self._trust.wrap_socket(line, server_hostname=self._name) if self._trust else line

    def read(self, size: int) -> bytes:
        if size > _MOST_LITERAL:
            raise self.abort(f"it wants to send {size} bytes at once")
        return super().read(size)


def _search(criteria: list[str], client: _Client) -> list[int]:
    return list(client.search(criteria))


def _mailboxes(client: _Client) -> list[Mailbox]:
    return [
        Mailbox(name, frozenset(flag.lower() for flag in flags))
        for flags, _, name in client.list_folders()
        if isinstance(name, str)
    ]


def _status(client: _Client, mailbox: str) -> Status:
    told = client.folder_status(mailbox, ["UIDVALIDITY", "UIDNEXT", "MESSAGES"])
    return Status(int(told[b"UIDVALIDITY"]), int(told[b"UIDNEXT"]), int(told[b"MESSAGES"]))


def _uids(client: _Client, low: int, high: int) -> list[int]:
    if high < low:
        return []
    step = high if high - low < _MANY else _RANGE
    found: list[int] = []
    for top in range(high, low - 1, -step):
        bottom = max(low, top - step + 1)
        found += client.search(["UID", f"{bottom}:{top}"])
    # "9:4" means 4:9 to a server, and "*" the last one, whatever its number: look at them again.
    return sorted({uid for uid in found if low <= uid <= high}, reverse=True)


def _body(row: Mapping[bytes, object]) -> bytes:
    body = next((value for key, value in row.items() if key.startswith(b"BODY[")), b"")
    return body if isinstance(body, bytes) else b""


def _said(error: Exception) -> str:
    """What the server said, on one line; never what was sent to it."""
    words = error.args[0] if error.args else ""
    text = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
    return " ".join(text.split())[:200] or type(error).__name__
