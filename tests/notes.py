"""A small source in memory as a world to test on."""

from collections.abc import Callable

from connectors.artifact import ExternalId
from connectors.memory import NOTES, MemoryConfig, MemoryConnector, Notes, memory_spec
from connectors.world import World


def notes_world(connector: Callable[[Notes], MemoryConnector] = MemoryConnector) -> World:
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

    return World(
        spec=memory_spec(source, connector),
        config=MemoryConfig(),
        partition=NOTES,
        edit=edit,
        remove=remove,
        expire=expire,
        interrupt=interrupt,
    )
