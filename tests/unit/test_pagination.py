from pathlib import Path

import pytest

from api.pagination import Paging
from api.places import Cursors, keep_key
from api.problems import Code, Problem

CURSORS = Cursors(b"one key")


def test_a_cursor_opens_where_it_was_sealed() -> None:
    cursor = CURSORS.seal("runs:all", 42)

    assert CURSORS.open("runs:all", cursor) == "42"


@pytest.mark.parametrize(
    "forged",
    ["", "x", "====", "42", "é", "\ud800", Cursors(b"another key").seal("runs:all", 42)],
)
def test_a_forged_cursor_is_refused(forged: str) -> None:
    with pytest.raises(Problem) as refused:
        CURSORS.open("runs:all", forged)

    assert refused.value.code is Code.INVALID_CURSOR


def test_a_cursor_of_another_list_is_refused() -> None:
    cursor = CURSORS.seal("runs:failed", 42)

    with pytest.raises(Problem):
        CURSORS.open("runs:all", cursor)


def test_no_byte_of_a_cursor_can_be_changed() -> None:
    cursor = CURSORS.seal("runs:all", 42)
    changed = [
        cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :] for at in range(20)
    ]

    for each in changed:
        with pytest.raises(Problem):
            CURSORS.open("runs:all", each)


def test_a_page_has_a_cursor_only_if_there_is_more() -> None:
    first = Paging(CURSORS, limit=3, cursor=None)

    assert first.place("runs", int) is None
    assert first.cut("runs", [1, 2, 3], int) == ([1, 2, 3], None)
    some, following = first.cut("runs", [1, 2, 3, 4], int)
    assert some == [1, 2, 3]
    assert Paging(CURSORS, limit=3, cursor=following).place("runs", int) == 3


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    file = tmp_path / "data" / ".cursor-key"

    first, second = keep_key(file), keep_key(file)

    assert first == second
    assert len(first) == 32
    assert file.stat().st_mode & 0o077 == 0
    assert [each.name for each in file.parent.iterdir()] == [".cursor-key"]
