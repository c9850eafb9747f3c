"""A real IMAP server on loopback, and what its owner does there."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_network
from itertools import count
from pathlib import Path
from typing import TypeVar

from imapclient import IMAPClient  # type: ignore[import-untyped]  # no types in it
from pydantic import SecretStr

from connectors.access import Given, Password
from connectors.egress import Exceptions, excepting
from connectors.imap.config import Encryption, ImapConfig
from tests.waiting import wait_until

R = TypeVar("R")
USER, PASSWORD = "ann", "correct horse"
ACCESS = Given(Password(user=USER, password=SecretStr(PASSWORD)), source="The server")
_NUMBERS = count(1)
OURS = Exceptions(networks=(ip_network("127.0.0.0/8"),))


@dataclass(frozen=True, slots=True)
class Server:
    port: int
    box: str
    owner: IMAPClient
    """Stays signed in: to check a password keeps the server busy for a third of a second."""

    def config(self, *mailboxes: str) -> ImapConfig:
        return ImapConfig(
            host="localhost",
            port=self.port,
            encryption=Encryption.NONE,
            mailboxes=mailboxes or (self.box,),
        )

    async def do(self, work: Callable[[IMAPClient], R]) -> R:
        """Let the owner do something there."""
        return await asyncio.to_thread(work, self.owner)

    async def deliver(self, *mails: bytes, mailbox: str = "") -> None:
        box = mailbox or self.box
        await self.do(lambda client: [client.append(box, mail) for mail in mails])

    async def expunge(self, message_id: str, mailbox: str = "") -> None:
        await self.do(lambda client: _expunge(client, message_id, mailbox or self.box))


@contextmanager
def signed_in(port: int) -> Iterator[IMAPClient]:
    with IMAPClient("127.0.0.1", port, ssl=False) as client:
        client.login(USER, PASSWORD)
        yield client


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """A server for as long as a test module needs it; answers its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pymap = Path(sys.executable).with_name("pymap")
    line = f"--no-tls --host 127.0.0.1 --port {port} --no-service managesieve --no-service admin"
    account = ("dict", "--demo-user", USER, "--demo-password", PASSWORD)
    with (folder / "pymap.log").open("wb") as log:
        process = subprocess.Popen([pymap, *line.split(), *account], stdout=log, stderr=log)
    try:
        asyncio.run(wait_until(lambda: _answers(port), within_seconds=50))
        yield port
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def inbox(port: int) -> AsyncGenerator[Server]:
    """A mailbox of its own, empty, which connectors may reach."""
    with signed_in(port) as owner, excepting(OURS):
        server = Server(port, f"box-{next(_NUMBERS)}", owner)
        await server.do(lambda client: client.create_folder(server.box))
        yield server


def mail(number: int, body: str = "Hello.", *fields: str) -> bytes:
    """A mail from somebody about something."""
    head = [
        "From: Bob <bob@example.org>",
        "To: ann@example.org",
        f"Subject: Matter {number}",
        f"Message-ID: <{number}@example.org>",
        f"Date: Mon, 2 Nov 2026 10:{number % 60:02d}:00 +0000",
        *fields,
    ]
    return ("\r\n".join(head) + f"\r\n\r\n{body}\r\n").encode()


def _expunge(client: IMAPClient, message_id: str, mailbox: str) -> None:
    client.select_folder(mailbox)
    # Whole: any header that holds what is searched would be found (RFC 3501, 6.4.4).
    uids = client.search(["HEADER", "Message-ID", f"<{message_id}>"])
    client.delete_messages(uids)
    client.expunge()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
