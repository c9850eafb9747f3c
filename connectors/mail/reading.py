"""A mail read in a process that it may kill: at its second try only from its front."""

from dataclasses import dataclass, replace

from connectors.cell import Cell, CellDied, CellFailed
from connectors.errors import ArtifactUnreadable
from connectors.mail import mime
from connectors.mail.letter import Letter, MailUnreadable, Part
from connectors.mail.rendering import Rendered, render

_FRONT_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Mail:
    """As it came: its bytes, or a letter that the provider took apart.

    ``known`` if the mail that it answers is in the same inbox.
    """

    source: bytes | Letter
    known: bool
    cut: bool = False  # at the provider


async def read(cell: Cell, mail: Mail) -> Rendered:
    """Raises ``ArtifactUnreadable``. What is too much to be read is read from its front."""
    try:
        return await cell.run(_whole, mail)
    except CellDied:
        pass  # the next try is a careful one
    except (MailUnreadable, CellFailed) as error:
        raise ArtifactUnreadable(str(error)) from error
    try:
        return await cell.run(_front, mail)
    except (MailUnreadable, CellDied, CellFailed) as error:
        raise ArtifactUnreadable(f"This mail cannot be read: {error}") from error


def _whole(mail: Mail) -> Rendered:
    letter = mail.source if isinstance(mail.source, Letter) else mime.letter(mail.source)
    rendered = render(letter, known=mail.known)
    return replace(rendered, cut=rendered.cut or mail.cut)


def _front(mail: Mail) -> Rendered:
    """Plain text alone, and nothing looked for in it."""
    if isinstance(mail.source, Letter):
        letter = mail.source
    else:
        letter = mime.letter(mail.source, most_bytes=_FRONT_BYTES)
    bodies = tuple(tuple(map(_shortened, parts)) for parts in letter.bodies)
    return render(replace(letter, bodies=bodies, attachments=(), cut=True), known=False)


def _shortened(part: Part) -> Part:
    plain = part.mime == "text/plain" and part.content is not None
    return replace(part, content=part.content[:_FRONT_BYTES] if plain and part.content else b"")
