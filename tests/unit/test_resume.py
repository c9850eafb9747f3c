"""A reader's place is moved by what it is shown, and never back."""

from api.encoding import unplaced
from api.resume import Place


def test_a_state_from_sql_that_is_older_than_one_shown_is_passed_over() -> None:
    """Whoever looks into SQL for all readers may come with it after one that looked later."""
    older, newer = (unplaced({"counts": {"found": number}}) for number in (32, 40))
    place = Place(cursor=None)

    place.show(newer)

    assert place.has(older)
    assert not place.has(newer)  # as heavy as what is shown: maybe waiting now, or paused
