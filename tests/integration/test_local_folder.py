"""Plain folders, also those that change under the reader's hands."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.access import Anonymous, Given
from connectors.artifact import FailureClass
from connectors.connector import Fetched
from connectors.errors import ArtifactGone, CursorExpired, SourceRefused
from connectors.events import CensusComplete, Failed, Skipped, Total
from connectors.local import CONNECTOR
from connectors.local.config import LocalCursor
from connectors.local.crawl import FILES
from connectors.local.folder import FolderTree
from connectors.world import artifacts, versions
from tests import trees
from tests.trees import fetched, offered, skipped, told


async def test_files_are_told_with_size_and_time_and_most_useful_first(tmp_path: Path) -> None:
    root = trees.write(tmp_path, {"b/test_x.py": "x\n", "b/x.py": "x\n", "README": "hello\n"})
    os.utime(root / "README", (1_700_000_000, 1_700_000_000))

    events = await told(root)

    first = artifacts(events)[0]
    assert offered(events) == ["README", "b/x.py", "b/test_x.py"]
    assert first.size == 6
    assert first.updated_at is not None
    assert first.updated_at.isoformat() == "2023-11-14T22:13:20+00:00"


async def test_whole_folders_that_nobody_wrote_cost_one_record_each(tmp_path: Path) -> None:
    root = trees.write(
        tmp_path,
        {
            "a.py": "a\n",
            "node_modules/x/index.js": "x\n",
            "env-of-mine/pyvenv.cfg": "home = /usr\n",
            "env-of-mine/lib/x.py": "x\n",
            "target/CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n",
            "target/x.rs": "x\n",
            "src/__pycache__/a.pyc": "x\n",
            "inner/.git/HEAD": "ref: refs/heads/main\n",
            ".ssh/config": "Host *\n",
        },
    )

    events = await told(root)

    assert offered(events) == ["a.py"]
    assert skipped(events) == {
        ".ssh/": "secret",
        "env-of-mine/": "vendored",
        "inner/.git/": "ignored",
        "node_modules/": "vendored",
        "src/__pycache__/": "generated",
        "target/": "generated",
    }


async def test_ignore_files_are_heeded_where_they_are_and_ours_has_the_last_word(
    tmp_path: Path,
) -> None:
    root = trees.write(
        tmp_path,
        {
            ".gitignore": "*.log\nbuild/\n",
            ".headwaterignore": "!kept.log\n",
            "a.log": "a\n",
            "kept.log": "a\n",
            "build/x.o": "x\n",
            "sub/.ignore": "/local.txt\n",
            "sub/local.txt": "a\n",
            "local.txt": "a\n",
        },
    )

    events = await told(root, exclude=[".*ignore"])

    assert skipped(events) == {"a.log": "ignored", "build/": "ignored", "sub/local.txt": "ignored"}
    assert offered(events) == ["local.txt", "kept.log"]


async def test_tree_may_say_that_a_vendored_file_is_its_own(tmp_path: Path) -> None:
    root = trees.write(
        tmp_path,
        {
            ".gitattributes": "vendor/ours/** -linguist-vendored\n",
            "vendor/ours/a.py": "a\n",
            "vendor/theirs/b.py": "b\n",
        },
    )

    events = await told(root)

    assert "vendor/ours/a.py" in offered(events)
    assert skipped(events)["vendor/theirs/b.py"] == "vendored"


async def test_links_pipes_and_sockets_are_recorded_and_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = trees.write(tmp_path, {"a.py": "a\n"})
    (root / "link").symlink_to("/etc")
    (root / "loop").symlink_to(".")
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)  # a socket's address must be short
    with socket.socket(socket.AF_UNIX) as ear:
        ear.bind("ear")

        events = await told(root)

    assert skipped(events) == {
        "link": "link",
        "loop": "link",
        "pipe": "special",
        "ear": "special",
    }


async def test_two_gigabytes_are_skipped_by_their_size_alone(tmp_path: Path) -> None:
    root = trees.write(tmp_path, {"a.py": "a\n"})
    with (root / "huge.txt").open("wb") as huge:
        huge.truncate(2 << 30)

    events = await told(root)

    assert skipped(events) == {"huge.txt": "too_large"}


async def test_strange_names_are_read_like_any_other(tmp_path: Path) -> None:
    names = [b"new\nline.py", b"caf\xe9.py", b"%41.py", b"Same.py", b"same.py", b"\xf0\x9f\x90\x8d"]
    files = {os.fsdecode(name): name + b"\n" for name in names}
    root = trees.write(tmp_path, files)

    content = await fetched(root)

    assert sorted(_texts(content)) == sorted(files.values())


async def test_path_longer_than_the_system_allows_is_read(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    with os.fdopen(os.open("deep.txt", os.O_WRONLY | os.O_CREAT, dir_fd=here), "w") as file:
        file.write("deep\n")
    os.close(here)

    content = await fetched(tmp_path)

    assert _texts(content) == [b"deep\n"]


async def test_bottomless_nesting_ends_somewhere(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(600):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)

    events = await told(tmp_path)

    assert list(skipped(events).values()) == ["special"]


async def test_version_changes_when_the_content_does(tmp_path: Path) -> None:
    root = trees.write(tmp_path, {"a.py": "a = 1\n", "b.py": "b = 1\n"})
    before = versions(await told(root))
    os.utime(trees.write(root, {"a.py": "a = 2\n"}) / "a.py", ns=(1, 1))

    after = versions(await told(root))

    assert {name for name in after if after[name] != before[name]} == {"file:a.py"}


async def test_unreadable_folder_is_a_failure_and_the_rest_goes_on() -> None:
    with trees.unprivileged() as home:
        root = trees.write(home / "r", {"a.py": "a\n", "shut/b.py": "b\n"})
        (root / "shut").chmod(0)

        events = await told(root)

    failures = [event for event in events if isinstance(event, Failed)]
    assert offered(events) == ["a.py"]
    assert [(f.title, f.failure) for f in failures] == [("shut/", FailureClass.FORBIDDEN)]
    assert failures[0].action


async def test_folder_whose_ignore_file_is_unreadable_is_not_read() -> None:
    with trees.unprivileged() as home:
        root = trees.write(home / "r", {"a.py": "a\n", "sub/.gitignore": "b\n", "sub/b": "b\n"})
        (root / "sub/.gitignore").chmod(0)

        events = await told(root)

    assert offered(events) == ["a.py"]
    assert [event.detail for event in events if isinstance(event, Failed)] == [
        ".gitignore cannot be read: Permission denied"
    ]


async def test_unreadable_file_fails_alone_and_still_counts_as_there() -> None:
    with trees.unprivileged() as home:
        root = trees.write(home / "r", {"a.py": "a\n", "shut.py": "b\n"})
        (root / "shut.py").chmod(0)
        async with CONNECTOR.open(trees.config(root), Given(Anonymous())) as connector:
            census = [event async for event in connector.census(FILES)]

        content = await fetched(root)

    assert content["a.py"] == b"a\n"
    assert isinstance(content["shut.py"], SourceRefused)
    assert census[-1] == CensusComplete(2)


async def test_file_that_vanished_is_gone_and_the_rest_is_read(tmp_path: Path) -> None:
    root = trees.write(tmp_path, {"a.py": "a\n", "b.py": "b\n"})

    content = await _fetched_after(root, (root / "a.py").unlink)

    assert isinstance(content["a.py"], ArtifactGone)
    assert content["b.py"] == b"b\n"


async def test_folder_swapped_for_a_link_leads_nowhere(tmp_path: Path) -> None:
    secret = trees.write(tmp_path / "secret", {"a.py": "secret\n"})
    root = trees.write(tmp_path / "root", {"sub/a.py": "a\n", "b.py": "b\n"})

    def swap() -> None:
        (root / "sub").rename(root / "moved")
        (root / "sub").symlink_to(secret)

    content = await _fetched_after(root, swap)

    assert isinstance(content["sub/a.py"], ArtifactGone)
    assert content["b.py"] == b"b\n"


async def test_file_swapped_for_a_link_leads_nowhere(tmp_path: Path) -> None:
    secret = trees.write(tmp_path / "secret", {"a.py": "secret\n"})
    root = trees.write(tmp_path / "root", {"a.py": "a\n"})

    def swap() -> None:
        (root / "a.py").unlink()
        (root / "a.py").symlink_to(secret / "a.py")

    content = await _fetched_after(root, swap)

    assert isinstance(content["a.py"], ArtifactGone)


async def test_file_swapped_for_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    root = trees.write(tmp_path, {"a.py": "a\n"})

    def swap() -> None:
        (root / "a.py").unlink()
        os.mkfifo(root / "a.py")

    content = await _fetched_after(root, swap)

    assert isinstance(content["a.py"], ArtifactGone)


async def test_file_that_grew_over_the_limit_is_skipped_when_it_is_fetched(tmp_path: Path) -> None:
    root = trees.write(tmp_path, {"a.txt": "a\n"})

    content = await _fetched_after(root, lambda: trees.write(root, {"a.txt": "a" * 2_000_000}))

    assert isinstance(content["a.txt"], Skipped)
    assert content["a.txt"].reason == "too_large"


async def test_secret_is_never_fetched_even_when_it_is_asked_for(tmp_path: Path) -> None:
    root = trees.write(tmp_path, {"a.py": "a\n", ".env": "KEY=1\n"})
    skip = next(event for event in await told(root) if isinstance(event, Skipped))

    async with CONNECTOR.open(trees.config(root), Given(Anonymous())) as connector:
        content = await connector.fetch([skip.ref])

    assert content == {skip.ref: skip}


async def test_place_in_a_commit_means_nothing_in_a_folder(tmp_path: Path) -> None:
    root = trees.write(tmp_path, {"a.py": "a\n"})

    async with CONNECTOR.open(trees.config(root), Given(Anonymous())) as connector:
        with pytest.raises(CursorExpired):
            await anext(aiter(connector.read(FILES, LocalCursor(commit="a" * 40))))


async def test_total_grows_while_the_folder_is_walked_and_ends_exact(tmp_path: Path) -> None:
    root = trees.write(tmp_path, {f"{n % 9}/{n}.py": "x\n" for n in range(2_500)})

    totals = [event for event in await told(root) if isinstance(event, Total)]

    assert [total.artifacts for total in totals] == [1_000, 2_000, 2_500, 2_500]
    assert [total.exact for total in totals] == [False, False, False, True]


async def test_walk_that_is_left_in_the_middle_holds_nothing_open(tmp_path: Path) -> None:
    root = trees.write(tmp_path, {f"{n}.py": "x\n" for n in range(2_500)})
    before = _open_files()
    walk = FolderTree(str(root), trees.config(root)).items()

    await anext(walk)
    await walk.aclose()
    del walk

    assert _open_files() == before


async def _fetched_after(root: Path, change: Callable[[], object]) -> dict[str, Fetched]:
    """Read, let the folder change, then fetch what was read."""
    async with CONNECTOR.open(trees.config(root), Given(Anonymous())) as connector:
        offers = artifacts([event async for event in connector.read(FILES, None)])
        change()
        answers = await connector.fetch([artifact.ref for artifact in offers])
        return {artifact.path or "": answers[artifact.ref] for artifact in offers}


def _open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def _texts(content: dict[str, Fetched]) -> list[bytes]:
    return [got for got in content.values() if isinstance(got, bytes)]
