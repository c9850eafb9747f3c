"""Every kind of connector on a source of its own, with what people do there."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random

from connectors.drive import CONNECTOR as DRIVE
from connectors.drive.crawl import open_drive
from connectors.drive.fake.world import File
from connectors.drive.fake.world import World as Drives
from connectors.drive.protocol import FOLDER, Log
from connectors.github import CONNECTOR as GITHUB
from connectors.github.crawl import open_github
from connectors.github.fake.world import Repo
from connectors.github.fake.world import World as Hub
from connectors.gmail.fake.world import World as Mailbox
from connectors.imap import CONNECTOR as IMAP
from connectors.imap.crawl import open_imap
from connectors.local import CONNECTOR as LOCAL
from connectors.local.crawl import open_local
from tests import google, hub, imap, trees
from tests.imap import mail
from tests.truths import Source, Truth

SIZE, LEAST = 8, 6
UNITS = {"units_a_minute": 1_000_000_000}
Deeds = Sequence[Callable[[Random], Awaitable[None]]]


@dataclass(slots=True)
class Folder:
    """With ``git`` a repository, which is committed after each deed."""

    root: Path
    git: bool
    said: dict[str, str] = field(default_factory=dict[str, str])

    def begin(self) -> None:
        self.said = {f"dir/{n}.md": f"File {n}." for n in range(SIZE)}
        (trees.repository if self.git else trees.write)(self.root, self.said)

    async def write(self, dice: Random) -> None:
        name = dice.choice([*self.said, f"new/{dice.randrange(10**6)}.md"])
        self.said[name] = f"Written {dice.random()}."
        trees.write(self.root, {name: self.said[name]})
        self._settle()

    async def rename(self, dice: Random) -> None:
        name, new = dice.choice([*self.said]), f"moved/{dice.randrange(10**6)}.md"
        (self.root / new).parent.mkdir(exist_ok=True)
        (self.root / name).rename(self.root / new)
        self.said[new] = self.said.pop(name)
        self._settle()

    async def remove(self, dice: Random) -> None:
        if len(self.said) > LEAST:
            name = dice.choice([*self.said])
            (self.root / name).unlink()
            del self.said[name]
            self._settle()

    def truth(self) -> Truth:
        return {f"file:{name}": text for name, text in self.said.items()}

    def _settle(self) -> None:
        if self.git:
            trees.commit(self.root)


@asynccontextmanager
async def local(seed: int, home: Path, _: int) -> AsyncGenerator[Source]:
    it = Folder(home / f"source-{seed}", git=bool(seed % 2))
    it.begin()
    yield Source(
        spec=replace(LOCAL, open=partial(open_local, checkpoint_every=3)),
        config={"path": str(it.root)},
        deeds=(it.write, it.write, it.rename, it.remove),
        truth=it.truth,
    )


@dataclass(frozen=True, slots=True)
class Project:
    world: Hub
    repo: Repo

    def files(self) -> list[str]:
        said = {path: body for path, (_, body) in self.repo.files.items()}
        return [path for path, body in said.items() if path[-2:] in {"py", "md"} and body]

    async def push(self, dice: Random) -> None:
        name = dice.choice([*self.files(), f"src/new{dice.randrange(10**6)}.py"])
        self.world.push(self.repo, {name: f"x = {dice.random()}\n".encode()})

    async def rename(self, dice: Random) -> None:
        name = dice.choice(self.files())
        new = {f"src/m{dice.randrange(10**6)}.{name[-2:]}": self.repo.files[name][1]}
        self.world.push(self.repo, new, remove=[name])

    async def remove(self, dice: Random) -> None:
        if len(self.files()) >= LEAST - 1:
            self.world.push(self.repo, {}, remove=[dice.choice(self.files())])

    async def talk(self, dice: Random) -> None:
        if dice.random() < 0.4:
            self.world.open(self.repo, f"New {dice.random()}", f"Opened {dice.random()}.")
        else:
            self.world.edit(dice.choice([*self.repo.talks.values()]), f"Edited {dice.random()}.")

    async def drop(self, dice: Random) -> None:
        if len(self.repo.talks) >= LEAST - 1:
            del self.repo.talks[dice.choice([*self.repo.talks])]

    def truth(self) -> Truth:
        id_, said = self.repo.id, self.repo.files
        code = {f"file:{id_}:{name}": said[name][1].decode().strip() for name in self.files()}
        return code | {f"issue:{id_}:{it.number}": it.body for it in self.repo.talks.values()}


@asynccontextmanager
async def github(_: int, __: Path, ___: int) -> AsyncGenerator[Source]:
    fake = hub.fake()
    it = Project(fake.world, hub.small(fake))
    async with hub.reachable(fake) as origin:
        yield Source(
            spec=replace(GITHUB, open=partial(open_github, page=3, few=3)),
            config={"repositories": [hub.NAME], "base_url": origin, "parts": ["code", "issues"]},
            deeds=(it.push, it.push, it.rename, it.remove, it.talk, it.talk, it.drop),
            truth=it.truth,
        )


@dataclass(frozen=True, slots=True)
class Inbox:
    """A mail there never changes: it comes, is put aside, and goes."""

    world: Mailbox
    said: dict[str, str] = field(default_factory=dict[str, str])

    def deliver(self, text: str, thread: str = "") -> None:
        name = self.world.deliver(mail(len(self.world.happened), text), thread=thread)
        self.said[name] = text

    async def receive(self, dice: Random) -> None:
        answered = self.world.messages[dice.choice([*self.said])].thread
        self.deliver(f"Come {dice.random()}.", dice.choice(["", answered]))

    async def delete(self, dice: Random) -> None:
        if len(self.said) > LEAST:
            name = dice.choice([*self.said])
            self.world.delete(name)
            del self.said[name]

    async def trash(self, dice: Random) -> None:
        if len(self.said) > LEAST:
            name = dice.choice([*self.said])
            self.world.label(name, "TRASH", removed=["INBOX"])
            del self.said[name]

    async def label(self, dice: Random) -> None:
        self.world.label(dice.choice([*self.said]), f"Label_{dice.randrange(9)}")

    async def forget(self, dice: Random) -> None:
        if dice.random() < 0.3:
            self.world.forget()

    def truth(self) -> Truth:
        return {f"gmail:{name}": text for name, text in self.said.items()}


@asynccontextmanager
async def gmail(seed: int, _: Path, __: int) -> AsyncGenerator[Source]:
    it = Inbox(Mailbox())
    for number in range(SIZE):
        it.deliver(f"Mail {number} has come.")
    with google.gmail(it.world, checked=False) as origin:
        yield Source(
            spec=google.spec(origin, page=3, step=2),
            config=UNITS,
            account=f"ann {seed}",
            deeds=(it.receive, it.receive, it.delete, it.trash, it.label, it.forget),
            truth=it.truth,
        )


@dataclass(slots=True)
class Letters:
    """A mail is told from its other version by its size, and so each version is longer."""

    server: imap.Server
    number: int = 0
    changes: int = 0
    said: dict[str, str] = field(default_factory=dict[str, str])

    async def deliver(self, text: str) -> None:
        self.number += 1
        await self.server.deliver(mail(self.number, text))
        self.said[f"{self.number}@example.org"] = text

    async def receive(self, dice: Random) -> None:
        await self.deliver(f"Come {dice.random()}.")

    async def change(self, dice: Random) -> None:
        name = dice.choice([*self.said])
        self.changes += 1
        self.said[name] = f"Put anew, {'very ' * 5 * self.changes}much: {dice.random()}."
        await self.server.expunge(name)
        await self.server.deliver(mail(int(name.partition("@")[0]), self.said[name]))

    async def expunge(self, dice: Random) -> None:
        if len(self.said) > LEAST:
            name = dice.choice([*self.said])
            del self.said[name]
            await self.server.expunge(name)

    def truth(self) -> Truth:
        return {f"mail:{name}": text for name, text in self.said.items()}


@asynccontextmanager
async def mailbox(_: int, __: Path, port: int) -> AsyncGenerator[Source]:
    async with imap.inbox(port) as server:
        it = Letters(server)
        for each in range(SIZE):
            await it.deliver(f"Mail {each} has come.")
        yield Source(
            spec=replace(IMAP, open=partial(open_imap, page=3)),
            config=server.config().model_dump(mode="json"),
            deeds=(it.receive, it.change, it.expunge),
            truth=it.truth,
        )


@dataclass(frozen=True, slots=True)
class Shelf:
    world: Drives
    folder: str

    def there(self) -> list[File]:
        seen = [file for file in self.world.listing() if file.mime != FOLDER]
        return [file for file in seen if not self.world.is_trashed(file)]

    async def add(self, dice: Random) -> None:
        text = f"Added {dice.random()}."
        self.world.add(f"{dice.randrange(10**6)}.txt", text.encode(), parent=self.folder)

    async def write(self, dice: Random) -> None:
        self.world.write(dice.choice(self.there()).id, f"Written {dice.random()}.".encode())

    async def rename(self, dice: Random) -> None:
        self.world.rename(dice.choice(self.there()).id, f"{dice.randrange(10**6)}.txt")

    async def move(self, dice: Random) -> None:
        self.world.move(dice.choice(self.there()).id, self.folder)

    async def take(self, dice: Random) -> None:
        if len(self.there()) > LEAST:
            take = dice.choice([self.world.trash, self.world.delete, self.world.lose])
            take(dice.choice(self.there()).id)

    async def forget(self, dice: Random) -> None:
        if dice.random() < 0.3:
            self.world.forget()

    def truth(self) -> Truth:
        return {Log().ref(file.id).external_id: file.content.decode() for file in self.there()}


@asynccontextmanager
async def drive(seed: int, _: Path, __: int) -> AsyncGenerator[Source]:
    world = Drives()
    it = Shelf(world, world.folder("Plans"))
    for number in range(SIZE):
        parent = {"parent": it.folder} if number % 2 else {}
        world.add(f"{number}.txt", f"File {number}.".encode(), **parent)
    with google.drive(world, checked=False) as origin:
        opening = partial(open_drive, origin=origin, page=3, clock=google.Hurried().clock)
        yield Source(
            spec=replace(DRIVE, open=opening),
            config=UNITS,
            account=f"ann {seed}",
            deeds=(it.add, it.write, it.rename, it.move, it.take, it.take, it.forget),
            truth=it.truth,
        )


KINDS = {"local": local, "github": github, "gmail": gmail, "imap": mailbox, "drive": drive}
