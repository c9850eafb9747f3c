"""What a user may state about a local source."""

import pytest
from pydantic import ValidationError

from connectors.local.config import LocalConfig, LocalCursor


@pytest.mark.parametrize("path", ["", "relative/path", ".", "~", "~/code", "a\0b", "/" * 5_000])
def test_path_that_means_nothing_to_the_worker_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        LocalConfig(path=path)


def test_two_ways_to_write_a_path_are_one_configuration() -> None:
    assert LocalConfig(path="/srv//code/./x/") == LocalConfig(path="/srv/code/x")


def test_home_folder_is_refused_with_the_reason() -> None:
    with pytest.raises(ValidationError, match="write the home folder out"):
        LocalConfig(path="~/code")


def test_pattern_that_is_none_is_refused_at_the_door() -> None:
    with pytest.raises(ValidationError, match="is not a pattern"):
        LocalConfig(path="/srv", include=("!",))


def test_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError):
        LocalConfig.model_validate({"path": "/srv", "recursive": True})


def test_what_was_typed_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ValidationError) as caught:
        LocalConfig.model_validate({"path": "hunter2"})

    assert "hunter2" not in str(caught.value)


def test_cursor_of_a_later_version_is_not_misread() -> None:
    with pytest.raises(ValidationError):
        LocalCursor.model_validate({"v": 2})
