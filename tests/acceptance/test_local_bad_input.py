"""Paths that cannot be ingested: one clear sentence each, and what to do about it."""

import os
import shutil
from pathlib import Path

import pytest

from connectors.access import Anonymous, Given
from connectors.errors import ConnectorError, SourceInvalid, SourceMissing, SourceRefused
from connectors.local import CONNECTOR
from tests import trees
from tests.trees import offered, told


async def refusal(path: Path, **options: object) -> ConnectorError:
    """The error that reading raises, after seeing that the check says the same."""
    with pytest.raises(ConnectorError) as caught:
        await told(path, **options)
    assert caught.value.action
    assert "\n" not in str(caught.value)
    return caught.value


async def probed(path: Path) -> list[str]:
    async with CONNECTOR.open(trees.config(path), Given(Anonymous())) as connector:
        return [f"{probe.detail}. {probe.action}" for probe in await connector.check()]


async def test_path_that_does_not_exist(tmp_path: Path) -> None:
    error = await refusal(tmp_path / "nowhere")

    assert isinstance(error, SourceMissing)
    assert str(error) == f"{tmp_path}/nowhere does not exist on the worker's machine"
    assert error.action == "Check the spelling of the path or name, then start again."


async def test_path_that_is_a_file(tmp_path: Path) -> None:
    trees.write(tmp_path, {"a.py": "a\n"})

    error = await refusal(tmp_path / "a.py")

    assert isinstance(error, SourceInvalid)
    assert str(error) == f"{tmp_path}/a.py is a file"
    assert error.action == "Give the folder that holds it."


async def test_path_under_a_file(tmp_path: Path) -> None:
    trees.write(tmp_path, {"a.py": "a\n"})

    assert isinstance(await refusal(tmp_path / "a.py/b"), SourceMissing)


async def test_path_with_a_name_that_no_system_takes(tmp_path: Path) -> None:
    assert isinstance(await refusal(tmp_path / ("x" * 300)), SourceMissing)


async def test_path_that_may_not_be_read() -> None:
    with trees.unprivileged() as home:
        root = trees.write(home / "r", {"a.py": "a\n"})
        root.chmod(0)

        error = await refusal(root)

    assert isinstance(error, SourceRefused)
    assert str(error) == f"{root} cannot be read: permission denied"


async def test_path_that_is_empty(tmp_path: Path) -> None:
    error = await refusal(tmp_path)

    assert isinstance(error, SourceInvalid)
    assert str(error) == f"{tmp_path} is empty"


async def test_path_that_holds_only_empty_folders_or_what_was_not_asked_for(tmp_path: Path) -> None:
    trees.write(tmp_path / "sub", {})

    bare = await refusal(tmp_path)
    trees.write(tmp_path, {"a.py": "a\n"})
    filtered = await refusal(tmp_path, include=["*.md"])

    assert str(bare) == f"{tmp_path} is empty"
    assert "patterns" in str(filtered)


async def test_repository_without_a_commit(tmp_path: Path) -> None:
    trees.git(tmp_path, "init", "--quiet")
    trees.write(tmp_path, {"a.py": "a\n"})

    error = await refusal(tmp_path)

    assert isinstance(error, SourceInvalid)
    assert str(error) == f"The repository at {tmp_path} has no commit yet"


async def test_repository_whose_commit_is_empty(tmp_path: Path) -> None:
    trees.repository(tmp_path, {})

    assert str(await refusal(tmp_path)) == f"{tmp_path} is empty"


async def test_submodule_that_was_not_checked_out(tmp_path: Path) -> None:
    inner = trees.repository(tmp_path / "inner", {"inner.py": "x\n"})
    outer = trees.repository(tmp_path / "outer", {"a.py": "a\n"})
    trees.git(outer, "-c", "protocol.file.allow=always", "submodule", "add", str(inner), "module")
    trees.commit(outer)
    trees.git(tmp_path, "clone", "--quiet", str(outer), "clone")
    trees.write(tmp_path / "clone/module", {"stray.txt": "x\n"})

    error = await refusal(tmp_path / "clone/module")

    assert isinstance(error, SourceInvalid)
    assert "is a submodule that was not checked out" in str(error)
    assert "git submodule update" in error.action


async def test_inside_of_gits_own_folder(tmp_path: Path) -> None:
    trees.repository(tmp_path, {"a.py": "a\n"})

    error = await refusal(tmp_path / ".git/objects")

    assert str(error) == f"{tmp_path}/.git/objects is a part of git's own data"


async def test_worktree_whose_repository_is_gone(tmp_path: Path) -> None:
    root = trees.repository(tmp_path / "main", {"a.py": "a\n"})
    trees.git(root, "worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    shutil.rmtree(root)

    error = await refusal(tmp_path / "tree")

    assert isinstance(error, SourceInvalid)
    assert "not a git repository" in str(error)


async def test_symbolic_link_that_leads_back_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    error = await refusal(tmp_path / "loop")

    assert str(error) == f"{tmp_path}/loop is a symbolic link that leads back to itself"


async def test_symbolic_link_to_a_folder_is_that_folder(tmp_path: Path) -> None:
    trees.write(tmp_path / "real", {"a.py": "a\n"})
    (tmp_path / "link").symlink_to("real")

    assert offered(await told(tmp_path / "link")) == ["a.py"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files that are somebody else's")
async def test_repository_of_another_user_is_refused_until_it_is_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with trees.unprivileged() as home:
        root = trees.repository(home / "r", {"a.py": "a\n"})
        monkeypatch.setenv("HOME", str(home))
        os.seteuid(0)

        error = await refusal(root)
        trees.write(home, {".gitconfig": f"[safe]\n\tdirectory = {root}\n"})
        trusted = offered(await told(root))

    assert isinstance(error, SourceRefused)
    assert str(error) == f"The repository at {root} belongs to another user"
    assert f"safe.directory {root}" in error.action
    assert trusted == ["a.py"]


@pytest.mark.parametrize("name", ["nowhere", "file.txt", "empty"])
async def test_check_says_what_reading_would_say(tmp_path: Path, name: str) -> None:
    trees.write(tmp_path, {"file.txt": "x\n"})
    trees.write(tmp_path / "empty", {})

    error = await refusal(tmp_path / name)

    assert await probed(tmp_path / name) == [f"{error}. {error.action}"]
