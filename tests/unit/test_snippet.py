"""A snippet shows why a chunk was found."""

from hypothesis import given
from hypothesis import strategies as st

from storage.search.snippet import LIMIT, snippet
from storage.search.terms import parse

FILLER = [f"line {number} says nothing of interest" for number in range(40)]


def test_a_short_text_is_shown_whole() -> None:
    text = "def grow():\n    return 1\n"

    assert snippet(text, parse("grow")) == "def grow():\n    return 1"


def test_the_lines_with_the_words_are_shown() -> None:
    text = "\n".join([*FILLER, "    the lease is renewed", "    by its holder", *FILLER])

    shown = snippet(text, parse("who renews the lease"))

    assert "    the lease is renewed" in shown.split("\n")
    assert len(shown) <= LIMIT


def test_lines_with_more_of_the_words_win() -> None:
    text = "\n".join(["a lease", *FILLER, "a lease and its holder", *FILLER])

    assert "a lease and its holder" in snippet(text, parse("lease holder"))


def test_without_the_words_the_start_is_shown() -> None:
    text = "\n\n" + "\n".join(FILLER)

    assert snippet(text, parse("elephants")).startswith(FILLER[0])


def test_a_line_that_is_too_long_is_cut_around_the_word() -> None:
    text = "before " * 300 + "elephant " + "after " * 300

    shown = snippet(text, parse("elephants"))

    assert "elephant" in shown
    assert shown.startswith("…")
    assert shown.endswith("…")


@given(st.text(max_size=1_500), st.text(max_size=40))
def test_a_snippet_is_never_longer_than_the_limit(text: str, query: str) -> None:
    assert len(snippet(text, parse(query))) <= LIMIT
