"""A cell is left by its items' results, and by nothing else."""

import pytest

from connectors.cell import Allowance, CellDied, CellFailed, open_cell
from connectors.errors import ArtifactUnreadable
from connectors.mail.letter import Headers, Letter, MailUnreadable, Part
from connectors.mail.reading import Mail, read
from tests import inmates


async def test_item_is_worked_on_elsewhere() -> None:
    async with open_cell() as cell:
        assert await cell.run(str.upper, "a") == "A"


async def test_error_of_the_function_comes_back_as_itself() -> None:
    async with open_cell() as cell:
        with pytest.raises(MailUnreadable, match="torn"):
            await cell.run(inmates.fail, MailUnreadable("torn"))


async def test_error_that_cannot_travel_is_named() -> None:
    async with open_cell() as cell:
        with pytest.raises(CellFailed, match="Untold"):
            await cell.run(inmates.fail_untold, "")


@pytest.mark.parametrize("deadly", [inmates.spin, inmates.swell, inmates.die])
async def test_item_that_never_ends_or_takes_all_memory_dies_alone(deadly: inmates.Deadly) -> None:
    async with open_cell(Allowance(cpu_seconds=0.5, memory_bytes=400_000_000)) as cell:
        with pytest.raises(CellDied):
            await cell.run(deadly, "")

        assert await cell.run(str.upper, "next") == "NEXT"


async def test_files_cannot_be_written_from_within() -> None:
    async with open_cell() as cell:
        with pytest.raises(OSError, match="File too large"):
            await cell.run(inmates.write, "/tmp")  # noqa: S108  # where anybody may write


async def test_mail_that_takes_too_long_is_read_from_its_plain_text() -> None:
    html = Part(mime="text/html", charset="", name="", content=b"<div>" * 90_000, size=450_000)
    plain = Part(mime="text/plain", charset="", name="", content=b"In short.", size=9)
    letter = Letter(
        headers=Headers((("subject", "Deep"),)), bodies=((plain,), (html,)), attachments=()
    )
    async with open_cell(Allowance(cpu_seconds=1)) as cell:
        mail = await read(cell, Mail(letter, known=False))

    assert mail.title == "Deep"
    assert "In short." in mail.text
    assert mail.cut


async def test_mail_that_is_none_is_an_error_that_says_what_to_do() -> None:
    async with open_cell() as cell:
        with pytest.raises(ArtifactUnreadable) as caught:
            await read(cell, Mail(b"", known=False))

    assert caught.value.action
