"""PDF and Office files become text, and what cannot says why and harms nobody."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from connectors.artifact import SkipReason
from connectors.cell import Allowance, Cell, open_cell
from connectors.documents import kinds
from connectors.documents.kinds import Document, Kind, Text, Unwanted, kind_of
from connectors.documents.reading import open_desk, read
from connectors.errors import ArtifactUnreadable
from tests import papers

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOUND = {
    Kind.PDF: papers.pdf(),
    Kind.DOCX: papers.word(),
    Kind.XLSX: papers.sheets(),
    Kind.PPTX: papers.slides(),
}
TEXTS = {
    Kind.PDF: "Terms of delivery\n",
    Kind.DOCX: "# Refunds\n\nWithin thirty days.\n\nItem | Price\n",
    Kind.XLSX: "## Prices\n\nItem | Price\nChair | 12.5\n\n## Stock\n\nChair\n",
    Kind.PPTX: "## Slide 1\n\nRoadmap\n\nSearch | May\n\nNotes: Say it slowly.\n",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk() -> AsyncGenerator[Cell]:
    async with open_desk() as desk:
        yield desk


@pytest.mark.parametrize("kind", Kind)
async def test_document_is_read_as_what_its_author_shows(desk: Cell, kind: Kind) -> None:
    got = await read(desk, Document(kind, SOUND[kind]))

    assert got == Text(TEXTS[kind])


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Kind.PDF, papers.pdf(encrypted=True)),
        (Kind.DOCX, papers.encrypted_office()),
        (Kind.XLSX, papers.encrypted_office()),
    ],
)
async def test_document_behind_a_password_says_so(desk: Cell, kind: Kind, data: bytes) -> None:
    got = await read(desk, Document(kind, data))

    assert got == Unwanted(SkipReason.ENCRYPTED, "it asks for a password")


async def test_pages_without_text_may_be_pictures(desk: Cell) -> None:
    got = await read(desk, Document(Kind.PDF, papers.pdf("")))

    assert isinstance(got, Unwanted)
    assert got.reason is SkipReason.EMPTY


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("data", [b"", b"no document", b"PK\x03\x04" + bytes(100)])
async def test_broken_document_is_told_as_one(desk: Cell, kind: Kind, data: bytes) -> None:
    with pytest.raises(ArtifactUnreadable) as caught:
        await read(desk, Document(kind, data))

    assert "cannot be read" in str(caught.value)
    assert "save it anew" in caught.value.action


@pytest.mark.parametrize("kind", Kind)
async def test_document_cut_anywhere_harms_nobody(desk: Cell, kind: Kind) -> None:
    whole = SOUND[kind]
    for part in range(1, 8):
        try:
            got = await read(desk, Document(kind, whole[: len(whole) * part // 8]))
        except ArtifactUnreadable:
            continue
        assert isinstance(got, Text | Unwanted)

    assert await read(desk, Document(kind, whole)) == Text(TEXTS[kind])


async def test_bomb_is_not_unpacked(desk: Cell) -> None:
    got = await read(desk, Document(Kind.DOCX, papers.bomb()))

    assert isinstance(got, Unwanted)
    assert got.reason is SkipReason.TOO_LARGE


async def test_document_that_takes_too_long_costs_its_process_and_no_other_document() -> None:
    async with open_cell(Allowance(cpu_seconds=0.1)) as hurried:
        with pytest.raises(ArtifactUnreadable, match="more time or memory"):
            await read(hurried, Document(Kind.PDF, papers.pdf("word " * 5_000_000)))

        assert await read(hurried, Document(Kind.PDF, papers.pdf())) == Text(TEXTS[Kind.PDF])


async def test_far_corner_of_a_sheet_costs_nothing(desk: Cell) -> None:
    got = await read(desk, Document(Kind.XLSX, papers.sheets(far=True)))

    assert got == Text(TEXTS[Kind.XLSX])


async def test_old_format_under_a_new_name_says_what_to_do(desk: Cell) -> None:
    got = await read(desk, Document(Kind.DOCX, papers.CONTAINER + bytes(1_000)))

    assert isinstance(got, Unwanted)
    assert "save it anew" in got.detail


async def test_huge_document_is_not_even_handed_over(desk: Cell) -> None:
    got = await read(desk, Document(Kind.PDF, bytes(kinds.MOST_BYTES + 1)))

    assert isinstance(got, Unwanted)
    assert got.reason is SkipReason.TOO_LARGE


async def test_long_text_is_cut(desk: Cell) -> None:
    got = await read(desk, Document(Kind.PDF, papers.pdf("word " * 500_000)))

    assert isinstance(got, Text)
    assert len(got.text) <= kinds.MOST_CHARACTERS + 1


@pytest.mark.parametrize(
    ("mime", "name", "kind"),
    [
        ("application/pdf", "anything", Kind.PDF),
        ("application/octet-stream", "Plan.DOCX", Kind.DOCX),
        ("text/plain", "notes.pdf", None),
        ("application/octet-stream", "program.exe", None),
    ],
)
async def test_kind_is_told_by_the_type_or_else_by_the_name(
    mime: str, name: str, kind: Kind | None
) -> None:
    assert kind_of(mime, name) is kind
