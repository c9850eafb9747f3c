"""What every chunk of every text promises."""

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines import tokens
from pipelines.chunking import Chunk, cut

PATHS = [
    None,
    "notes.txt",
    "guide.md",
    "guide.rst",
    "table.csv",
    "config.yaml",
    "a.py",
    "a.js",
    "a.ts",
    "a.tsx",
    "a.go",
    "a.rs",
    "A.java",
    "a.c",
    "a.cpp",
    "A.cs",
    "a.rb",
    "a.php",
    "a.sh",
    "a.html",
    "a.css",
]
# What a cut can go wrong at: runs of white space, all kinds of line breaks, long characters, and
# the beginnings of everything that has structure.
WORDS = st.sampled_from(
    [
        *(
            "\n",
            "\r\n",
            "\r",
            "\n\n",
            " ",
            "   ",
            "\t",
            "\f",
            "\x1c",
            "\x85",
            "\u2028",
            "\xa0",
            "\x0b",
        ),
        *(
            "def f():",
            "class A:",
            "{",
            "}",
            "(",
            ")",
            "@x",
            "# ",
            "## B",
            "====",
            "----",
            "```",
            "~~~",
        ),
        *("<|endoftext|>", "it's", "'S", "naïve", "字", "。", "🧠", "e\u0301", "123456", ".", "!?"),
        *(
            "<a>",
            "</a>",
            "`",
            "$(",
            "<<EOF",
            "EOF",
            "- item",
            "| a | b |",
            "a",
            "\ufeff",
            "\x01",
            "/*",
        ),
    ]
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
    st.lists(WORDS, max_size=150).map("".join),
)


@given(TEXTS, st.sampled_from(PATHS), st.integers(min_value=tokens.MINIMUM, max_value=40))
@settings(max_examples=600, deadline=None)
@example("\n \n\n\t\n", "a.py", 4)
@example("a\n  \rb\n\n  \r\n c", "a.md", 4)
@example("🧠" * 30, None, 4)
def test_any_text_is_cut_without_loss_within_the_limit(
    text: str, path: str | None, limit: int
) -> None:
    chunks = cut(text, path=path, title="a title", limit=limit)

    assert_keeps_promises(text, chunks, limit=limit)


HUGE = {
    "one line of words": "word " * 200_000,
    "one line without a space": "abcdefghij" * 100_000,
    "nothing but spaces": " " * 1_000_000,
    "nothing but line breaks": "\n" * 1_000_000,
    "blank lines with spaces": " \n" * 500_000,
    "one sign": "=" * 1_000_000,
    "no spaces between sentences": "这是一个没有空格的句子。" * 40_000,
    "emoji": "🧠" * 100_000,
    "special tokens": "<|endoftext|>" * 50_000,
    "headings": "# a\n" * 100_000,
    "fences": "```\n" * 100_000,
}


@pytest.mark.parametrize("path", [None, "a.md", "a.py", "a.json"])
@pytest.mark.parametrize("name", HUGE)
def test_a_megabyte_of_anything_is_cut_within_seconds(name: str, path: str | None) -> None:
    text = HUGE[name]

    chunks = cut(text, path=path, title="huge")

    assert_keeps_promises(text, chunks, limit=512)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "(" * 50_000 + ")" * 50_000),
        ("a.py", "".join(f"{' ' * i}if x:\n" for i in range(500)) + " " * 500 + "y\n"),
        ("a.js", "[\n" * 20_000 + "]\n" * 20_000),
        ("a.java", "a<\n" * 30_000),
        ("a.sh", "<a>\n" * 5_000),
        ("a.html", "<a>\n" * 10_000),
    ],
    ids=["brackets", "indentation", "lists", "java", "shell", "html"],
)
def test_deep_and_hostile_code_is_cut_within_seconds(path: str, text: str) -> None:
    chunks = cut(text, path=path, title="deep")

    assert_keeps_promises(text, chunks, limit=512)


def test_the_same_text_is_cut_in_the_same_way_every_time() -> None:
    text = "a<\n" * 30_000

    first, second = (cut(text, path="a.java", title="t") for _ in range(2))

    assert first == second


def test_an_empty_text_has_no_chunks() -> None:
    chunks = cut("", path="a.py", title="t")

    assert chunks == []


def test_a_limit_below_one_character_is_refused() -> None:
    limit = tokens.MINIMUM - 1

    with pytest.raises(ValueError, match="too small"):
        cut("text", path=None, title="t", limit=limit)


def assert_keeps_promises(text: str, chunks: list[Chunk], *, limit: int) -> None:
    data = text.encode()
    assert "".join(chunk.text for chunk in chunks) == text
    assert [c.tokens for c in chunks] == [tokens.count(c.text) for c in chunks]
    assert all(0 < chunk.tokens <= limit for chunk in chunks)
    assert all(before.end_byte == after.start_byte for before, after in pairwise(chunks))
    line = 1
    for chunk in chunks:
        assert data[chunk.start_byte : chunk.end_byte] == chunk.text.encode()
        assert chunk.start_line == line
        line += chunk.text.count("\n")
        assert chunk.end_line == line - chunk.text.endswith("\n")
