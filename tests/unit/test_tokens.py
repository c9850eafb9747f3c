"""Counting tokens."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import tokens


def test_a_known_text_costs_what_the_encoding_says() -> None:
    text = "hello world"

    cost = tokens.count(text)

    assert cost == 2


def test_what_looks_like_a_special_token_is_text() -> None:
    text = "a<|endoftext|>b"

    cost = tokens.count(text)

    assert cost > 3


@settings(deadline=None)
@given(st.lists(st.text(), max_size=80))
def test_counting_many_is_counting_each(texts: list[str]) -> None:
    together = tokens.counts(texts)

    assert together == [tokens.count(text) for text in texts]


@settings(deadline=None)
@given(st.text(min_size=1))
def test_every_token_of_a_text_ends_somewhere_and_the_last_at_its_end(text: str) -> None:
    ends = list(tokens.ends(text))

    assert len(ends) == tokens.count(text)
    assert ends == sorted(set(ends))
    assert ends[-1] == len(text.encode())


@settings(deadline=None)
@given(st.text(min_size=1), st.integers(min_value=tokens.MINIMUM, max_value=20))
def test_the_head_of_a_text_is_its_start_and_within_the_limit(text: str, limit: int) -> None:
    head = tokens.head(text, limit)

    assert head
    assert text.startswith(head)
    assert tokens.count(head) <= limit


def test_the_head_of_a_short_text_is_the_text() -> None:
    text = "short enough"

    head = tokens.head(text, 10)

    assert head == text
