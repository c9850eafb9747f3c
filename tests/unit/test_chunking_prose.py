"""Prose is cut along its headings, paragraphs and sentences."""

from pipelines import tokens
from pipelines.chunking import Chunk, cut

SENTENCE = "The quick brown fox jumps over the lazy dog and comes back again. "
PARAGRAPH = SENTENCE * 3 + "\n\n"


def symbols(chunks: list[Chunk]) -> list[str | None]:
    return [chunk.symbol for chunk in chunks]


def test_a_section_is_a_chunk_under_its_heading_path() -> None:
    text = f"# Guide\n\n{PARAGRAPH}## Install\n\n{PARAGRAPH}## Use\n\n{PARAGRAPH}"

    chunks = cut(text, path="docs/guide.md", title="guide.md", limit=64)

    assert symbols(chunks) == ["Guide", "Guide > Install", "Guide > Use"]
    assert chunks[1].text == f"## Install\n\n{PARAGRAPH}"
    assert chunks[1].header == "docs/guide.md · Guide > Install"


def test_a_new_chapter_does_not_start_within_a_chunk_of_the_last_one() -> None:
    text = f"# One\n\n{PARAGRAPH}# Two\n\n{PARAGRAPH}{PARAGRAPH}"

    chunks = cut(text, path="a.md", title="a.md", limit=120)

    assert symbols(chunks) == ["One", "Two"]


def test_a_heading_is_not_parted_from_what_is_under_it() -> None:
    text = f"# One\n\n{PARAGRAPH}# Two\n\n## Three\n\n{SENTENCE * 20}"

    chunks = cut(text, path="a.md", title="a.md", limit=64)

    assert any(chunk.text.startswith(f"# Two\n\n## Three\n\n{SENTENCE}") for chunk in chunks)


def test_paragraphs_are_parted_whatever_their_lines_end_with() -> None:
    text = (PARAGRAPH * 20).replace("\n", "\r\n")

    chunks = cut(text, path="a.md", title="a.md", limit=100)

    assert len(chunks) > 5
    assert all(chunk.text.endswith("\r\n\r\n") for chunk in chunks)


def test_underlines_of_restructuredtext_are_headings_in_the_order_of_their_styles() -> None:
    text = (
        f"=====\nGuide\n=====\n\n{PARAGRAPH}Install\n-------\n\n{PARAGRAPH}Linux\n~~~~~\n\nText.\n"
    )

    chunks = cut(text, path="a.rst", title="a.rst", limit=64)

    assert symbols(chunks) == ["Guide", "Guide > Install, Guide > Install > Linux"] or symbols(
        chunks
    ) == ["Guide", "Guide > Install > Linux"]


def test_a_fence_that_fits_is_kept_whole() -> None:
    fence = "```python\n" + "print('a')\n\n# not a heading\n" * 8 + "```\n"
    text = f"# Guide\n\n{PARAGRAPH}{fence}\n{PARAGRAPH}"

    chunks = cut(text, path="a.md", title="a.md", limit=120)

    assert any(fence in chunk.text for chunk in chunks)
    assert set(symbols(chunks)) == {"Guide"}


def test_a_line_above_a_fence_or_within_it_is_no_heading() -> None:
    fence = "```\npip install it\n```\n"
    text = f"# Guide\n\n{PARAGRAPH}Install it:\n{fence}\n{PARAGRAPH}"

    chunks = cut(text, path="a.md", title="a.md", limit=64)

    assert set(symbols(chunks)) == {"Guide"}


def test_backticks_as_long_as_the_line_above_underline_it_in_restructuredtext() -> None:
    text = f"Guide\n=====\n\n{PARAGRAPH}Install\n```````\n\n{PARAGRAPH}Use\n```\n\n{PARAGRAPH}"

    chunks = cut(text, path="a.rst", title="a.rst", limit=64)

    assert symbols(chunks) == ["Guide", "Guide > Install", "Guide > Use"]


def test_a_table_is_cut_between_its_rows() -> None:
    rows = [f"| cell {n} | another cell. And more | {n} |\n" for n in range(100)]

    chunks = cut("".join(rows), path="a.md", title="a.md", limit=64)

    assert len(chunks) > 10
    assert all(chunk.text.startswith("| cell") for chunk in chunks)


def test_a_long_line_is_cut_between_sentences() -> None:
    text = SENTENCE * 50

    chunks = cut(text, path=None, title="mail", limit=64)

    assert all(chunk.text.rstrip().endswith("again.") for chunk in chunks)


def test_a_long_sentence_is_cut_between_words() -> None:
    words = [f"word{n % 7}" for n in range(500)]

    chunks = cut(" ".join(words), path=None, title="mail", limit=50)

    assert [word for chunk in chunks for word in chunk.text.split()] == words


def test_chunks_are_filled_with_what_fits() -> None:
    text = PARAGRAPH * 40

    chunks = cut(text, path=None, title="mail", limit=512)

    assert all(chunk.tokens > 512 - tokens.count(PARAGRAPH) for chunk in chunks[:-1])


def test_without_a_path_the_title_heads_the_chunk() -> None:
    chunks = cut("Hello there.", path=None, title="A mail")

    assert [chunk.header for chunk in chunks] == ["A mail"]


def test_a_heading_with_control_characters_is_shown_without() -> None:
    chunks = cut("# A\x1b[31m red\x07 title\n\ntext\n", path="a.md", title="a.md")

    assert symbols(chunks) == ["A [31m red title"]
