"""A place in many runs, as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursors import open_places, seal
from api.problems import Code, Problem
from storage.ids import RunId, Seq

PLACES = st.dictionaries(
    st.uuids().map(RunId), st.integers(0, 2**63 - 1).map(Seq), min_size=1, max_size=50
)


@given(PLACES)
def test_a_cursor_opens_to_the_places_that_were_sealed(places: dict[RunId, Seq]) -> None:
    sealed = seal(places)

    assert open_places(sealed) == places
    assert sealed.isascii()
    assert sealed.isprintable()
    assert len(sealed) <= 50 * 42


def test_no_cursor_is_no_place() -> None:
    assert open_places(None) == open_places("") == {}


@given(st.text(min_size=1, max_size=21))
def test_what_is_no_cursor_is_a_problem_whatever_it_is(text: str) -> None:
    with pytest.raises(Problem) as caught:
        open_places(text)

    assert caught.value.code is Code.INVALID_CURSOR


@pytest.mark.parametrize("cursor", ["7", "AZNvLwKqfBGODWstnk96IQ", "AZNvLwKqfBGODWstnk96IQ-1", "."])
def test_a_cursor_of_something_else_is_refused(cursor: str) -> None:
    with pytest.raises(Problem):
        open_places(cursor)
