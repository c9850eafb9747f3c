"""A fake GitHub for tests, and the connector on it, over a socket or in the same process."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from itertools import count

import httpx
from pydantic import SecretStr

from connectors import egress
from connectors.access import Access, Credential, Given, Token
from connectors.artifact import PartitionKey
from connectors.connector import Fetched
from connectors.egress import Exceptions
from connectors.errors import Cause, ReauthorizationNeeded
from connectors.events import Checkpoint, Event, Tombstone, Upsert
from connectors.github.config import GitHubConfig, GitHubCursor
from connectors.github.crawl import GitHubConnector
from connectors.github.fake.app import Fake
from connectors.github.fake.world import Account, Repo
from connectors.github.session import Session
from connectors.throttle import Clock
from tests.loopback import listening

NAME = "acme/thing"
TOKEN = "ghp_fake"  # noqa: S105  # of a fake
_HOSTS = count(1)
LOOPBACK = Exceptions(networks=(ip_network("127.0.0.0/8"),))
CODE = PartitionKey(f"code:{NAME}")
ISSUES = PartitionKey(f"issues:{NAME}")
RELEASES = PartitionKey(f"releases:{NAME}")
DISCUSSIONS = PartitionKey(f"discussions:{NAME}")
PARTS = (CODE, ISSUES, RELEASES, DISCUSSIONS)


def token(text: str = TOKEN) -> Token:
    return Token(token=SecretStr(text))


def fake() -> Fake:
    """Somebody has an account there."""
    made = Fake()
    made.world.accounts[TOKEN] = Account("ada")
    return made


@asynccontextmanager
async def reachable(fake: Fake) -> AsyncGenerator[str]:
    """Over a socket, with loopback allowed."""
    async with listening(fake.app) as origin:
        with egress.excepting(LOOPBACK):
            yield origin


class Watch:
    """A clock that goes on only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.slept: list[float] = []

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


def host() -> str:
    """One that nobody had before: no other test's requests count against its limits."""
    return f"hub{next(_HOSTS)}.test"


@asynccontextmanager
async def inside(
    fake: Fake,
    *,
    at: str = "",
    access: Access | None = None,
    page: int = 100,
    few: int = 100,
    watch: Watch | None = None,
    **options: object,
) -> AsyncGenerator[GitHubConnector]:
    """The connector on a fake in the same process: no socket, so that a thousand runs are cheap.

    Answers hold the host's name, so only who comes back to the same one hears that nothing changed.
    """
    config = GitHubConfig.model_validate({"repositories": [NAME], **options})
    transport = httpx.ASGITransport(fake.app)
    clock = (watch or Watch()).clock
    async with httpx.AsyncClient(transport=transport, timeout=None) as client:  # noqa: S113  # no time passes
        session = Session(
            f"http://{at or host()}",
            access or Given(token(), "GitHub"),
            client,
            clock=clock,
        )
        connector = GitHubConnector(config, session, page, few)
        try:
            yield connector
        finally:
            await connector.close()


@dataclass(slots=True)
class Index:
    """What a runtime keeps: contents by id, versions, and the cursor of each part."""

    contents: dict[str, bytes] = field(default_factory=dict[str, bytes])
    versions: dict[str, str] = field(default_factory=dict[str, str])
    cursors: dict[PartitionKey, GitHubCursor] = field(
        default_factory=dict[PartitionKey, GitHubCursor]
    )
    events: list[Event] = field(default_factory=list[Event])
    fetched: list[str] = field(default_factory=list[str])
    host: str = field(default_factory=host)
    settled: set[PartitionKey] = field(default_factory=set[PartitionKey])

    async def crawl(
        self, connector: GitHubConnector, parts: Sequence[PartitionKey] = PARTS
    ) -> None:
        """Read each part to its end, fetching what has another version, as the runtime does."""
        for part in parts:
            page: list[Event] = []
            async for event in connector.read(part, self.cursors.get(part)):
                self.events.append(event)
                page.append(event)
                if isinstance(event, Checkpoint):
                    await self.store(connector, page)
                    page = []

    async def tidy(self, connector: GitHubConnector) -> None:
        """Ask what is gone of each part where that is not settled, as the runtime does."""
        ends = [e for e in self.events if isinstance(e, Checkpoint) and e.done]
        quiet = {end.partition for end in ends if end.quiet}
        for part in {end.partition for end in ends} - (quiet & self.settled):
            _ = [event async for event in connector.census(part)]
            self.settled.add(part)

    async def store(self, connector: GitHubConnector, page: Sequence[Event]) -> None:
        """Keep what a page told, and the cursor at its end, as it comes out of a database."""
        told = [event.artifact for event in page if isinstance(event, Upsert)]
        new = [each for each in told if self.versions.get(each.ref.external_id) != each.version]
        fetched = await connector.fetch([each.ref for each in new]) if new else {}
        for artifact in new:
            self._keep(artifact.ref.external_id, artifact.version, fetched[artifact.ref])
        for event in page:
            if isinstance(event, Tombstone):
                self.contents.pop(event.ref.external_id, None)
            if isinstance(event, Checkpoint):
                cursor = GitHubCursor.model_validate_json(event.cursor.model_dump_json())
                self.cursors[event.partition] = cursor

    def _keep(self, external_id: str, version: str, content: Fetched) -> None:
        self.fetched.append(external_id)
        self.versions[external_id] = version
        if isinstance(content, bytes):
            self.contents[external_id] = content


@dataclass(slots=True)
class Keys:
    """An access whose token may be renewed, as long as the owner lets it."""

    fake: Fake
    held: str = TOKEN
    renewable: str | None = None

    async def credential(self) -> Credential:
        return token(self.held)

    async def renew(self, refused: Credential) -> Credential:  # noqa: ARG002
        if self.renewable is None:
            raise ReauthorizationNeeded(Cause.REVOKED, "GitHub")
        self.held = self.renewable
        return token(self.held)


def small(fake: Fake) -> Repo:
    """A repository with a little of everything."""
    world = fake.world
    repo = world.add_repo(
        NAME,
        {
            "README.md": b"# A thing\n",
            "src/one.py": b"one = 1\n",
            "src/two.py": b"two = 2\n",
            "deep/down/here.md": b"Here.\n",
            "tests/test_one.py": b"assert True\n",
            "logo.png": b"\x89PNG\0",
            "empty.txt": b"",
        },
    )
    for number in range(1, 6):
        talk = world.open(repo, f"Number {number}", "It breaks.", is_pull=number == 3)
        if number != 2:
            world.comment(talk, f"I see it too, {number}.")
        if talk.is_pull:
            world.review(talk, "Looks good.", "@@ -1 +1 @@\n-old\n+new")
    for number in range(1, 6):
        world.release(repo, f"v{number}", f"What is new in {number}.")
        talk = world.discuss(repo, f"Question {number}", "How?")
        world.comment(talk, f"Like this, {number}.")
    return repo
