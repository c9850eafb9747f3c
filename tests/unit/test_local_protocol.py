"""Names and listings of the local source."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.artifact import Priority
from connectors.local import protocol
from connectors.local.protocol import Entry, Nature

PATHS = st.binary(min_size=1, max_size=300).filter(lambda name: b"\0" not in name).map(os.fsdecode)


def test_plain_path_is_its_own_id() -> None:
    assert protocol.external_id("src/été/main.py") == "file:src/été/main.py"


def test_name_with_a_newline_has_a_printable_id() -> None:
    assert protocol.external_id("odd\nname") == "file:odd%0Aname"


def test_name_that_is_no_utf8_has_an_id_that_json_can_hold() -> None:
    name = protocol.external_id(os.fsdecode(b"caf\xe9.txt"))

    assert json.loads(json.dumps(name).encode()) == "file:caf%E9.txt"


def test_percent_in_a_name_cannot_pose_as_an_escape() -> None:
    assert protocol.external_id("a%0Ab") != protocol.external_id("a\nb")


def test_very_long_paths_have_short_ids_that_differ() -> None:
    one, two = (protocol.external_id("földer/" * 900 + name) for name in ("one", "two"))

    assert len(one.encode()) <= protocol.MAX_NAME_BYTES + len("file:")
    assert one != two


@given(PATHS, PATHS)
def test_two_paths_never_share_an_id(one: str, two: str) -> None:
    assert (protocol.external_id(one) == protocol.external_id(two)) == (one == two)


@given(PATHS)
def test_what_is_shown_obeys_nobody_and_can_be_encoded(path: str) -> None:
    shown = protocol.shown(path)

    assert "\x1b" not in shown
    assert "\n" not in shown
    assert shown.encode().decode() == shown


def test_listing_of_a_tree_is_read_with_every_kind_of_entry() -> None:
    listing = "".join(
        [
            f"100644 blob {'a' * 40}      12\tREADME.md\0",
            f"120000 blob {'b' * 40}       3\tlink\0",
            f"160000 commit {'c' * 40}       -\tmodule\0",
            f"100755 blob {'d' * 40}     BAD\todd\nname\t.py\0",
        ]
    )

    assert list(protocol.tree_entries(listing)) == [
        Entry("README.md", Nature.FILE, "a" * 40, 12),
        Entry("link", Nature.LINK, "b" * 40, 3),
        Entry("module", Nature.SUBMODULE, "c" * 40),
        Entry("odd\nname\t.py", Nature.FILE, "d" * 40),
    ]


def test_listing_that_is_not_understood_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="ls-tree answered"):
        list(protocol.tree_entries("surprise\0"))


def test_header_of_an_object_tells_its_size() -> None:
    assert protocol.object_size(f"{'a' * 40} blob 1234") == 1234


def test_header_of_a_missing_object_has_no_size() -> None:
    assert protocol.object_size(f"{'a' * 40} missing") is None


@pytest.mark.parametrize(
    ("path", "priority"),
    [
        ("README.md", Priority.FIRST),
        ("readme", Priority.FIRST),
        ("pyproject.toml", Priority.FIRST),
        ("server/package.json", Priority.FIRST),
        ("packages/a/b/package.json", Priority.NORMAL),
        ("server/README.rst", Priority.EARLY),
        ("docs/logo.html", Priority.EARLY),
        ("CHANGELOG.md", Priority.EARLY),
        ("src/main.rs", Priority.NORMAL),
        ("src/contest.py", Priority.NORMAL),
        ("tests/README.md", Priority.LATE),
        ("src/main_test.go", Priority.LATE),
        ("web/button.spec.ts", Priority.LATE),
        ("examples/one.py", Priority.LATE),
        ("data/cities.csv", Priority.LATE),
    ],
)
def test_what_users_ask_about_first_comes_first(path: str, priority: Priority) -> None:
    assert protocol.priority(path) is priority


def test_attribute_says_what_is_documentation_and_what_is_not() -> None:
    assert protocol.priority("guide/x.py", documentation=True) is Priority.EARLY
    assert protocol.priority("docs/x.py", documentation=False) is Priority.NORMAL


def test_impossible_file_times_are_bent_into_possible_ones() -> None:
    before, after = (Entry("a", Nature.FILE, "1", 1, ns).updated_at for ns in (-(10**20), 10**25))

    assert before is not None
    assert before.year == 1970
    assert after is not None
    assert after.year == 9999
