"""Sources as people type them, and where the command line takes their credentials from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.commands import sources
from api.commands.ending import ExitCode, Trouble
from connectors import catalog
from tests import drawers


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(drawers.install(tmp_path / "package")))
    monkeypatch.chdir(tmp_path)
    catalog.specs.cache_clear()
    yield
    catalog.specs.cache_clear()


def test_kind_says_what_the_rest_means() -> None:
    assert sources.named("drawers:recipes") == ("drawers", {"drawers": ["recipes"]}, None)
    assert sources.named("local:/srv/notes") == ("local", {"path": "/srv/notes"}, None)


@pytest.mark.parametrize(
    "text", [".", "/srv/notes", "C:/notes", "gopher:hole", "https://nowhere/x"]
)
def test_what_no_kind_knows_is_taken_for_a_folder(text: str) -> None:
    assert sources.named(text) is None


def test_folder_that_is_there_comes_first(tmp_path: Path) -> None:
    (tmp_path / "drawers:recipes").mkdir()

    assert sources.named("drawers:recipes") is None


def test_rest_that_says_nothing_to_its_kind_is_refused() -> None:
    with pytest.raises(Trouble, match="'drawers:socks' says nothing to Drawers") as caught:
        sources.named("drawers:socks")

    assert caught.value.code is ExitCode.USAGE


def test_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAWERS_TOKEN", "canary")

    named = sources.named("drawers:recipes")

    assert named is not None
    assert named[2] == {"kind": "token", "token": "canary"}


def test_kind_that_takes_no_token_is_given_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_TOKEN", "canary")

    assert sources.named("local:/srv/notes") == ("local", {"path": "/srv/notes"}, None)


def test_address_of_ones_own_server_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = "https://hub.example/api/v3"
    monkeypatch.setenv("GITHUB_API_URL", at)
    monkeypatch.setenv("LOCAL_API_URL", at)
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)

    there = {"repositories": ["acme/demo"], "base_url": at}
    assert sources.named("github:acme/demo") == ("github", there, None)
    assert sources.named("local:/srv/notes") == ("local", {"path": "/srv/notes"}, None)
