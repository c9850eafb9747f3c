"""A document read in a process that may be killed, with what it may cost."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from connectors.artifact import SkipReason
from connectors.cell import Allowance, Cell, CellDied, CellFailed, open_cell
from connectors.documents.kinds import MOST_BYTES, Document, DocumentBroken, Text, Unwanted
from connectors.documents.parsing import parse
from connectors.errors import ArtifactUnreadable

ALLOWANCE = Allowance(cpu_seconds=20, wall_seconds=120, memory_bytes=1_500_000_000)
_SAVE = "Open it, save it anew, and start again; or leave it out."


@asynccontextmanager
async def open_desk() -> AsyncGenerator[Cell]:
    async with open_cell(ALLOWANCE) as cell:
        yield cell


async def read(desk: Cell, document: Document) -> Text | Unwanted:
    """Raises ``ArtifactUnreadable`` for what is broken, or too much for anybody to read."""
    if len(document.data) > MOST_BYTES:
        return Unwanted(SkipReason.TOO_LARGE, f"{len(document.data):,} bytes of a document")
    try:
        return await desk.run(parse, document)
    except CellDied as error:
        told = "This document takes more time or memory to read than a document should"
        raise ArtifactUnreadable(told, action=_SAVE) from error
    except (DocumentBroken, CellFailed) as error:
        raise ArtifactUnreadable(f"This document cannot be read: {error}", action=_SAVE) from error
