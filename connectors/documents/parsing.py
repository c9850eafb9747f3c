"""The text of a document, by the library of its kind. Only for a process that may be killed."""

from collections.abc import Callable, Iterator, Mapping
from io import BytesIO

import docx
import pypdfium2 as pdfium  # type: ignore[import-untyped]  # no types in it
from docx.document import Document as Word
from docx.table import Table
from docx.text.hyperlink import Hyperlink
from docx.text.paragraph import Paragraph
from pptx import Presentation
from pptx.shapes.autoshape import Shape
from pptx.shapes.base import BaseShape
from pptx.shapes.graphfrm import GraphicFrame
from pptx.shapes.group import GroupShape
from pypdfium2.raw import FPDF_ERR_PASSWORD  # type: ignore[import-untyped]  # no types in it
from python_calamine import CalamineWorkbook, PasswordError

from connectors.artifact import SkipReason
from connectors.documents.kinds import (
    MOST_CHARACTERS,
    Document,
    DocumentBroken,
    Kind,
    Text,
    Unwanted,
)
from connectors.documents.package import PASSWORD, objection

_NO_TEXT = Unwanted(SkipReason.EMPTY, "no text in it: its pages may be pictures")
_DEEPEST = 20  # groups in groups of a slide


def parse(document: Document) -> Text | Unwanted:
    """Raises ``DocumentBroken``, whatever a library stumbles over in hostile bytes."""
    try:
        return _parsed(document)
    except (DocumentBroken, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001  # libraries raise anything; this process is their edge
        raise DocumentBroken(f"it is damaged ({type(error).__name__})") from None


def _parsed(document: Document) -> Text | Unwanted:
    if document.kind is not Kind.PDF and (unwanted := objection(document.data)):
        return unwanted
    try:
        return _gathered(_PARTS[document.kind](document.data))
    except PasswordError:
        return PASSWORD
    except pdfium.PdfiumError as error:
        if error.err_code == FPDF_ERR_PASSWORD:
            return PASSWORD
        raise


def _gathered(parts: Iterator[str]) -> Text | Unwanted:
    """Until it is enough. No database keeps a NUL in a text."""
    found: list[str] = []
    room, cut = MOST_CHARACTERS, False
    for part in parts:
        clean = part.replace("\0", "").strip()
        found += [clean[:room]] if clean else []
        room -= len(clean)
        if room <= 0:
            cut = True
            break
    text = "\n\n".join(found).encode(errors="replace").decode()
    return Text(text + "\n", cut) if text.strip() else _NO_TEXT


def _pdf(data: bytes) -> Iterator[str]:
    with pdfium.PdfDocument(data) as document:
        for page in document:
            yield str(page.get_textpage().get_text_bounded()).replace("\r\n", "\n")
            page.close()


def _word(data: bytes) -> Iterator[str]:
    document: Word = docx.Document(BytesIO(data))
    for block in document.iter_inner_content():
        yield _table(block) if isinstance(block, Table) else _paragraph(block)


def _paragraph(paragraph: Paragraph) -> str:
    """Without what its author hid."""
    style = (paragraph.style.name or "") if paragraph.style else ""
    level = style.removeprefix("Heading ")
    mark = "#" * int(level) + " " if level.isdigit() and len(level) == 1 else ""
    pieces = (
        piece.text
        for piece in paragraph.iter_inner_content()
        if isinstance(piece, Hyperlink) or not piece.font.hidden
    )
    text = "".join(pieces)
    return f"{mark}{text}" if text.strip() else ""


def _table(table: Table) -> str:
    return "\n".join(_row(cell.text for cell in row.cells) for row in table.rows)


def _sheets(data: bytes) -> Iterator[str]:
    workbook = CalamineWorkbook.from_filelike(BytesIO(data))
    for name in workbook.sheet_names:
        rows = workbook.get_sheet_by_name(name).iter_rows()
        text = "\n".join(_row(map(str, row)) for row in rows if any(cell != "" for cell in row))
        if text:
            yield f"## {name}\n\n{text}"


def _slides(data: bytes) -> Iterator[str]:
    for number, slide in enumerate(Presentation(BytesIO(data)).slides, 1):
        texts = [text for shape in slide.shapes for text in _shape(shape, 0)]
        notes = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
        if notes is not None and notes.text.strip():
            texts.append(f"Notes: {notes.text}")
        if texts:
            yield "\n\n".join([f"## Slide {number}", *texts])


def _shape(shape: BaseShape, depth: int) -> Iterator[str]:
    if isinstance(shape, GroupShape) and depth < _DEEPEST:
        for inner in shape.shapes:
            yield from _shape(inner, depth + 1)
    elif isinstance(shape, GraphicFrame) and shape.has_table:
        yield "\n".join(_row(cell.text for cell in row.cells) for row in shape.table.rows)
    elif isinstance(shape, Shape) and shape.has_text_frame and shape.text_frame.text.strip():
        yield shape.text_frame.text


def _row(cells: Iterator[str]) -> str:
    return " | ".join(" ".join(cell.split()) for cell in cells)


_PARTS: Mapping[Kind, Callable[[bytes], Iterator[str]]] = {
    Kind.PDF: _pdf,
    Kind.DOCX: _word,
    Kind.XLSX: _sheets,
    Kind.PPTX: _slides,
}
