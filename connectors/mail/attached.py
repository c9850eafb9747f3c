"""What is attached to a mail, made legible: documents as their text, or why there is none."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from connectors.artifact import Artifact, SkipReason
from connectors.cell import Cell, open_cell
from connectors.connector import Content
from connectors.documents.kinds import Document, Unwanted, kind_of
from connectors.documents.reading import open_desk, read
from connectors.errors import ArtifactUnreadable
from connectors.events import Skipped
from connectors.mail.contents import content
from connectors.mail.rendering import Rendered


@dataclass(frozen=True, slots=True)
class Cells:
    """For mails, and for the documents in them, which may take longer."""

    mail: Cell
    documents: Cell


@asynccontextmanager
async def open_cells() -> AsyncGenerator[Cells]:
    async with AsyncExitStack() as stack:
        mail = await stack.enter_async_context(open_cell())
        yield Cells(mail, await stack.enter_async_context(open_desk()))


async def legible(
    cells: Cells, mail: Rendered, artifact: Artifact, *, received_at: datetime | None
) -> Content | Skipped:
    """What to keep of a mail, with the text of what is attached."""
    got = content(mail, artifact, received_at=received_at)
    if isinstance(got, Skipped):
        return got
    parts = [await _part(cells.documents, part) for part in got.parts]
    return replace(got, parts=tuple(parts))


async def _part(desk: Cell, part: Content | Skipped) -> Content | Skipped:
    if isinstance(part, Skipped):
        return part
    told = part.artifact
    kind = kind_of(told.mime or "", told.title)
    if kind is None:
        return part
    try:
        text = await read(desk, Document(kind, part.body))
    except ArtifactUnreadable as error:
        return Skipped(told.ref, SkipReason.UNREADABLE, str(error), told.title, told.size)
    if isinstance(text, Unwanted):
        return Skipped(told.ref, text.reason, text.detail, told.title, told.size)
    return replace(part, body=text.text.encode())
