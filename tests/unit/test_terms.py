"""What a user's words look for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.search.terms import PHRASES_AT_MOST, TERMS_AT_MOST, WORD_AT_MOST, parse


def words(query: str) -> list[str]:
    return [term.word for term in parse(query).words]


def test_a_question_looks_for_its_telling_words_only() -> None:
    assert set(words("How does the worker claim a run?")) >= {"worker", "claim", "run"}
    assert not {"how", "does", "the", "a"} & set(words("How does the worker claim a run?"))


def test_common_words_count_when_there_are_no_others() -> None:
    assert words("to be")[:2] == ["to", "be"]


def test_a_snake_case_name_is_its_words_together_and_apart() -> None:
    terms = parse("append_event")

    assert set(words("append_event")) == {"append", "event", "appendevent"}
    assert terms.phrases == (("append", "event"),)


def test_a_camel_case_name_is_itself_and_its_parts() -> None:
    assert words("getUserName") == ["getusername", "get", "user", "name"]


def test_an_acronym_in_a_name_is_one_part() -> None:
    assert words("parseHTTPResponse")[1:] == ["parse", "http", "response"]


def test_a_path_is_a_phrase_of_its_parts() -> None:
    assert parse("storage/search/terms.py").phrases == (("storage", "search", "terms", "py"),)


def test_neighbours_may_be_written_as_one_word() -> None:
    assert "username" in words("user name")


@pytest.mark.parametrize("form", ["claim", "claims", "claimed", "claiming"])
def test_forms_of_a_word_share_a_prefix(form: str) -> None:
    assert parse(form).words[0].prefix == "claim"


def test_a_short_word_is_no_prefix() -> None:
    assert parse("io").words[0].prefix is None


@pytest.mark.parametrize("query", ["", "  ", "?!… --", '"" AND ()', "🙂", "*", "\0", "_"])
def test_what_has_no_letters_looks_for_little(query: str) -> None:
    assert set(words(query)) <= {"and"}


@given(st.text(max_size=2_000))
def test_every_query_becomes_a_bounded_number_of_plain_words(query: str) -> None:
    terms = parse(query)

    assert len(terms.words) <= TERMS_AT_MOST
    assert len(terms.phrases) <= PHRASES_AT_MOST
    for word in [*(term.word for term in terms.words), *(w for p in terms.phrases for w in p)]:
        assert 0 < len(word) <= WORD_AT_MOST * 3  # lower case can be longer
        assert not {'"', "'", "*", "(", "\\", " ", "\0"} & set(word)
