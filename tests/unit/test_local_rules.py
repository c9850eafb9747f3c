"""Patterns as in .gitignore and .gitattributes, also hostile ones."""

import time

import pytest

from connectors.local.rules import InvalidPattern, Nested, Patterns, Rules


def test_last_pattern_that_matches_decides() -> None:
    patterns = Patterns(["*.log", "!keep.log"])

    assert patterns.match("a.log") is True
    assert patterns.match("keep.log") is False
    assert patterns.match("a.txt") is None


def test_order_holds_across_more_patterns_than_one_automaton_takes() -> None:
    patterns = Patterns(["*.log", *(f"other{number}" for number in range(500)), "!keep.log"])

    assert patterns.match("keep.log") is False
    assert patterns.match("other0") is True
    assert patterns.match("a.log") is True


def test_deeper_folder_has_the_last_word() -> None:
    nested = Nested()
    nested.add("", ["*.md"])
    nested.add("docs/", ["!*.md"])

    assert nested.match("a.md") is True
    assert nested.match("docs/a.md") is False
    assert nested.match("docs/deep/a.md") is False


def test_pattern_with_a_slash_is_about_its_own_folder() -> None:
    nested = Nested()
    nested.add("web/", ["/dist"])

    assert nested.match("web/dist") is True
    assert nested.match("web/a/dist") is None
    assert nested.match("dist") is None


def test_folder_pattern_needs_a_folder() -> None:
    nested = Nested()
    nested.add("", ["build/"])

    assert nested.match("build/") is True
    assert nested.match("build") is None
    assert nested.match("build/x.o") is True


def test_hostile_pattern_takes_no_time() -> None:
    patterns = Patterns(["*a" * 12 + "*b"])
    began = time.process_time()

    matched = patterns.match("a" * 250)

    assert matched is None
    assert time.process_time() - began < 1


@pytest.mark.parametrize("pattern", ["!", "a\\", "[z-a]x", "x" * 501, "[[:alpha:]]", "[a--b]"])
def test_pattern_that_cannot_be_matched_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern):
        Patterns([pattern])


@pytest.mark.parametrize("line", [b"!", b"a\\", b"[z-a]x", b"\xff[", b"x" * 501])
def test_line_of_an_ignore_file_that_is_no_pattern_is_passed_over(line: bytes) -> None:
    rules = Rules()

    rules.add("", ".gitignore", line + b"\n*.log\n")

    assert rules.ignored.match("a.log") is True


def test_byte_order_mark_and_carriage_returns_are_no_part_of_a_pattern() -> None:
    rules = Rules()

    rules.add("", ".gitignore", b"\xef\xbb\xbf*.log\r\n*.tmp\r\n")

    assert rules.ignored.match("a.log") is True
    assert rules.ignored.match("a.tmp") is True


def test_attribute_lines_that_say_nothing_of_ours_are_passed_over() -> None:
    rules = Rules()

    rules.add(
        "", ".gitattributes", b"# c\n\n*.py text eol=lf\n[attr]x -diff\n!a linguist-vendored\n"
    )

    assert rules.vendored.match("a") is None
    assert rules.generated.match("a.py") is None
    assert not rules.unvendors
