"""A small source in memory as a world to test on."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pydantic import SecretStr

from connectors.access import Credential, Token
from connectors.artifact import ExternalId
from connectors.memory import NOTES, MemoryConfig, MemoryConnector, Notes, memory_spec
from connectors.world import World


@dataclass(slots=True)
class Keys:
    """An access that can get the key that fits now, as long as the owner lets it."""

    notes: Notes
    held: SecretStr
    renewals: int = 0

    async def credential(self) -> Credential:
        return Token(token=self.held)

    async def renew(self, refused: Credential) -> Credential:
        self.renewals += 1
        if refused == Token(token=self.held) and self.notes.lock is not None:
            self.held = self.notes.lock
        return Token(token=self.held)


def locked_world(connector: Callable[[Notes], MemoryConnector] = MemoryConnector) -> World:
    """Notes that only who has the key may read."""
    world, source = _world(connector)
    keys = Keys(source, SecretStr("key 1"))
    source.lock = keys.held

    async def outdate() -> None:
        source.lock = SecretStr("key 2")

    async def revoke() -> None:
        await outdate()
        keys.notes = Notes({}, lock=SecretStr("a key of another lock"))

    return replace(world, access=keys, outdate=outdate, revoke=revoke)


def notes_world(connector: Callable[[Notes], MemoryConnector] = MemoryConnector) -> World:
    return _world(connector)[0]


def _world(connector: Callable[[Notes], MemoryConnector]) -> tuple[World, Notes]:
    source = Notes({name: name.encode() for name in ("ant", "bee", "cat", "dog", "elk")})

    async def edit() -> ExternalId:
        source.notes["bee"] += b" again"
        return ExternalId("bee")

    async def remove() -> ExternalId:
        del source.notes["dog"]
        return ExternalId("dog")

    async def expire() -> None:
        source.generation += 1

    async def interrupt() -> None:
        source.blind = True

    world = World(
        spec=memory_spec(source, connector),
        config=MemoryConfig(),
        partition=NOTES,
        edit=edit,
        remove=remove,
        expire=expire,
        interrupt=interrupt,
    )
    return world, source
