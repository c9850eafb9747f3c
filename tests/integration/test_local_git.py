"""Repositories of the real git, read at a commit."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from connectors.access import Anonymous, Given
from connectors.artifact import ExternalId, PartitionKey, Ref
from connectors.errors import ConnectorError, CursorExpired, SourceInvalid, SourceMissing
from connectors.events import Checkpoint, Event, Skipped, Total, Upsert
from connectors.local import CONNECTOR, git
from connectors.local.config import LocalCursor
from connectors.local.crawl import FILES, open_local
from connectors.world import artifacts, checkpoints, versions
from tests import trees
from tests.trees import fetched, offered, skipped, told
from tests.waiting import turn


async def test_tracked_files_are_told_with_the_most_useful_first(tmp_path: Path) -> None:
    names = ["tests/test_a.py", "src/a.py", "docs/guide.md", "README.md", "pyproject.toml"]
    root = trees.repository(tmp_path, dict.fromkeys(names, "x\n"))

    events = await told(root)

    assert offered(events) == [
        "README.md",
        "pyproject.toml",
        "docs/guide.md",
        "src/a.py",
        "tests/test_a.py",
    ]


async def test_what_is_not_committed_is_not_there(tmp_path: Path) -> None:
    root = trees.repository(tmp_path, {"a.py": "old\n"})
    trees.write(root, {"a.py": "new\n", "b.py": "new\n"})

    content = await fetched(root)

    assert content == {"a.py": b"old\n"}


async def test_version_is_the_content_as_git_knows_it(tmp_path: Path) -> None:
    root = trees.repository(tmp_path, {"a.py": "a\n"})

    known = versions(await told(root))

    assert known == {"file:a.py": trees.git(root, "rev-parse", "HEAD:a.py")}


async def test_ignore_files_of_git_say_nothing_about_what_is_tracked(tmp_path: Path) -> None:
    root = trees.repository(tmp_path, {".gitignore": "a.py\n", "a.py": "a\n"})

    assert "a.py" in offered(await told(root))


async def test_our_own_ignore_file_and_attributes_are_heeded_at_the_commit(tmp_path: Path) -> None:
    root = trees.repository(
        tmp_path,
        {
            ".headwaterignore": "private/\n",
            "private/a.md": "a\n",
            "lib/.gitattributes": "*.c linguist-vendored\n",
            "lib/zlib.c": "c\n",
            "main.c": "c\n",
        },
    )

    events = await told(root)

    assert skipped(events) == {"lib/zlib.c": "vendored", "private/a.md": "ignored"}
    assert "main.c" in offered(events)


async def test_folder_in_a_repository_is_read_alone_under_the_rules_above_it(
    tmp_path: Path,
) -> None:
    root = trees.repository(
        tmp_path,
        {
            ".gitattributes": "packages/web/api.ts linguist-generated\n",
            "packages/web/api.ts": "x\n",
            "packages/web/page.ts": "x\n",
            "packages/other.ts": "x\n",
        },
    )

    events = await told(root / "packages/web")

    assert offered(events) == ["page.ts"]
    assert skipped(events) == {"api.ts": "generated"}


async def test_folder_that_git_knows_nothing_of_is_read_as_a_folder(tmp_path: Path) -> None:
    root = trees.repository(tmp_path, {"a.py": "a\n"})
    trees.write(root, {"installed/lib.py": "lib\n"})

    assert await fetched(root / "installed") == {"lib.py": b"lib\n"}


async def test_links_submodules_and_pointers_are_recorded_and_not_followed(tmp_path: Path) -> None:
    inner = trees.repository(tmp_path / "inner", {"inner.py": "x\n"})
    root = trees.repository(tmp_path / "outer", {"a.py": "a\n"})
    trees.write(root, {"big.psd2": "version https://git-lfs.github.com/spec/v1\noid sha256:1\n"})
    (root / "link.py").symlink_to("/etc/passwd")
    (root / "loop").symlink_to("loop")
    trees.git(root, "-c", "protocol.file.allow=always", "submodule", "add", str(inner), "module")
    trees.commit(root)

    reasons, content = skipped(await told(root)), await fetched(root)

    assert reasons == {"link.py": "link", "loop": "link", "module": "submodule"}
    assert isinstance(content["big.psd2"], Skipped)
    assert content["a.py"] == b"a\n"


async def test_strange_names_are_read_like_any_other(tmp_path: Path) -> None:
    names = [b"new\nline.py", b"caf\xe9.py", b":(top)x.py", b"sp ace\t.py", b"Same.py", b"same.py"]
    files = {os.fsdecode(name): name + b"\n" for name in names}
    root = trees.repository(tmp_path, files)

    content = await fetched(root)

    assert sorted(got for got in content.values() if isinstance(got, bytes)) == sorted(
        files.values()
    )


async def test_user_reads_only_what_the_patterns_leave(tmp_path: Path) -> None:
    names = ["a.md", "src/a.py", "src/b.md", "old/a.md"]
    root = trees.repository(tmp_path, dict.fromkeys(names, "x\n"))

    events = await told(root, include=["*.md"], exclude=["old/"])

    assert offered(events) == ["a.md", "src/b.md"]
    assert skipped(events) == {}


async def test_file_over_the_limit_is_never_read(tmp_path: Path) -> None:
    root = trees.repository(tmp_path, {"big.txt": "x" * 2_000, "small.txt": "x"})

    events = await told(root, max_bytes=1_999)

    assert skipped(events) == {"big.txt": "too_large"}


async def test_total_counts_all_that_is_told(tmp_path: Path) -> None:
    root = trees.repository(tmp_path, {"a.py": "a\n", "b.png": "b", "c.py": ""})

    events = await told(root)

    assert [event.artifacts for event in events if isinstance(event, Total) and event.exact] == [3]


async def test_read_goes_on_in_the_commit_it_began_with(tmp_path: Path) -> None:
    root = trees.repository(tmp_path, {f"{n}.py": f"{n}\n" for n in range(6)})
    begun = await _read(root, None, stop=4)
    trees.commit(root, {"0.py": "changed\n", "5.py": "changed\n", "new.py": "new\n"})

    resumed = await _read(root, checkpoints(begun)[-1].cursor)

    assert offered([*begun[:-1], *resumed]) == [f"{n}.py" for n in range(6)]
    assert versions(resumed)[ExternalId("file:5.py")] == trees.git(root, "rev-parse", "HEAD~:5.py")


async def test_after_a_finished_read_the_new_head_is_read(tmp_path: Path) -> None:
    root = trees.repository(tmp_path, {"a.py": "a\n"})
    finished = checkpoints(await _read(root, None))[-1].cursor
    trees.commit(root, {"b.py": "b\n"})

    assert offered(await _read(root, finished)) == ["a.py", "b.py"]


async def test_place_in_a_commit_that_is_gone_has_expired(tmp_path: Path) -> None:
    root = trees.repository(tmp_path, {"a.py": "a\n"})

    with pytest.raises(CursorExpired):
        await _read(root, LocalCursor(commit="a" * 40, after="file:a.py"))


async def test_fetch_is_about_what_was_read_also_when_head_moves(tmp_path: Path) -> None:
    root = trees.repository(tmp_path, {"a.py": "old\n"})

    async with CONNECTOR.open(trees.config(root), Given(Anonymous())) as connector:
        refs = [a.ref for a in artifacts([e async for e in connector.read(FILES, None)])]
        trees.commit(root, {"a.py": "new\n"})
        content = await connector.fetch(refs)
        census = [event async for event in connector.census(FILES)]

    assert list(content.values()) == [b"old\n"]
    assert census[0].version == trees.git(root, "rev-parse", "HEAD~:a.py")  # type: ignore[union-attr]  # the first of two is Seen


async def test_many_fetches_share_the_child_and_get_each_their_own(tmp_path: Path) -> None:
    root = trees.repository(tmp_path, {f"{n}.py": f"{n}\n" for n in range(300)})

    async with CONNECTOR.open(trees.config(root), Given(Anonymous())) as connector:
        refs = [a.ref for a in artifacts([e async for e in connector.read(FILES, None)])]
        answers = await asyncio.gather(*(connector.fetch(refs[n::7]) for n in range(7)))

    got = {ref.external_id: content for answer in answers for ref, content in answer.items()}
    assert got == {f"file:{n}.py": f"{n}\n".encode() for n in range(300)}


async def test_fetch_that_is_cancelled_does_not_leave_its_answers_to_the_next(
    tmp_path: Path,
) -> None:
    root = trees.repository(tmp_path, {f"{n}.txt": str(n) * 900_000 for n in range(60)})

    async with CONNECTOR.open(trees.config(root), Given(Anonymous())) as connector:
        refs = [a.ref for a in artifacts([e async for e in connector.read(FILES, None)])]
        task = asyncio.create_task(connector.fetch(refs))
        for _ in range(20):  # it is in the middle then: 54 MB come in pieces of a pipe's size
            await turn()
        task.cancel()
        await asyncio.wait([task])
        content = await connector.fetch(refs[:1])

    assert task.cancelled()
    assert content[refs[0]] == b"0" * 900_000


async def test_listing_that_is_left_in_the_middle_leaves_no_child(tmp_path: Path) -> None:
    name = "a long name, to fill every buffer between git and us " * 3
    names = [f"{n} {name}" for n in range(6_000)]
    root = trees.repository(tmp_path, dict.fromkeys(names, "x\n"))
    place = await git.find(str(root))
    assert place is not None
    listing = place.git.lines("ls-tree", "-r", "-z", "--long", "HEAD")

    first = await anext(listing)
    async with asyncio.timeout(20):
        await listing.aclose()

    assert 0 < len(first) < sum(map(len, names))


async def test_damaged_object_spoils_only_itself(tmp_path: Path) -> None:
    root = trees.repository(tmp_path, {f"{n}.py": f"{n}\n" for n in range(5)})
    damaged, missing = (_object(root, f"HEAD:{n}.py") for n in (1, 3))
    damaged.chmod(0o600)
    damaged.write_bytes(b"rubbish")
    missing.unlink()

    content = await fetched(root)

    kinds = {name: type(got) for name, got in content.items()}
    assert kinds == {
        "0.py": bytes,
        "1.py": SourceInvalid,
        "2.py": bytes,
        "3.py": SourceInvalid,
        "4.py": bytes,
    }


async def test_repository_that_vanishes_while_it_is_open_is_missing(tmp_path: Path) -> None:
    root = trees.repository(tmp_path / "r", {"a.py": "a\n"})

    async with CONNECTOR.open(trees.config(root), Given(Anonymous())) as connector:
        await connector.plan()
        shutil.rmtree(root)

        with pytest.raises(SourceMissing):
            await connector.plan()


async def test_settings_of_the_repository_run_nothing(tmp_path: Path) -> None:
    root, trap = trees.repository(tmp_path / "r", {"a.py": "a\n"}), tmp_path / "trap"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {trap}\n")
    program.chmod(0o755)
    for key in ("core.fsmonitor", "core.sshCommand", "core.pager", "diff.external", "core.editor"):
        trees.git(root, "config", key, str(program))
    trees.git(root, "config", "remote.origin.url", "ext::" + str(program))
    trees.git(root, "config", "remote.origin.promisor", "true")
    trees.git(root, "config", "protocol.ext.allow", "always")
    trees.git(root, "config", "extensions.partialClone", "origin")
    _object(root, "HEAD:a.py").unlink()

    try:
        await fetched(root)
    except ConnectorError as error:
        refused: ConnectorError | None = error
    else:
        refused = None

    assert not trap.exists()
    assert refused is None or refused.action


async def test_environment_of_a_git_hook_does_not_lead_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = trees.repository(tmp_path / "right", {"right.py": "a\n"})
    wrong = trees.repository(tmp_path / "wrong", {"wrong.py": "a\n"})
    monkeypatch.setenv("GIT_DIR", str(wrong / ".git"))

    assert offered(await told(root)) == ["right.py"]


@pytest.mark.parametrize("kind", ["bare", "worktree", "shallow", "git folder", "sha256"])
async def test_every_kind_of_repository_is_read(tmp_path: Path, kind: str) -> None:
    root = trees.repository(tmp_path / "origin", {"a.py": "a\n"})
    trees.commit(root, {"b.py": "b\n"})
    place = tmp_path / "place"
    match kind:
        case "bare":
            trees.git(tmp_path, "clone", "--quiet", "--bare", str(root), str(place))
        case "worktree":
            trees.git(root, "worktree", "add", "--quiet", "--detach", str(place))
        case "shallow":
            trees.git(tmp_path, "clone", "--quiet", "--depth", "1", root.as_uri(), str(place))
        case "git folder":
            place = root / ".git"
        case _:
            place.mkdir()
            trees.git(place, "init", "--quiet", "--object-format=sha256")
            trees.commit(place, {"a.py": "a\n", "b.py": "b\n"})

    assert await fetched(place) == {"a.py": b"a\n", "b.py": b"b\n"}


async def test_submodule_that_is_checked_out_is_a_repository(tmp_path: Path) -> None:
    inner = trees.repository(tmp_path / "inner", {"inner.py": "x\n"})
    root = trees.repository(tmp_path / "outer", {"a.py": "a\n"})
    trees.git(root, "-c", "protocol.file.allow=always", "submodule", "add", str(inner), "module")

    assert await fetched(root / "module") == {"inner.py": b"x\n"}


async def test_partition_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    root = trees.repository(tmp_path, {"a.py": "a\n"})

    async with CONNECTOR.open(trees.config(root), Given(Anonymous())) as connector:
        answer = await connector.fetch([Ref(PartitionKey("issues"), ExternalId("file:a.py"))])
        with pytest.raises(SourceMissing):
            await anext(aiter(connector.read(PartitionKey("issues"), None)))

    assert [type(got).__name__ for got in answer.values()] == ["ArtifactGone"]


async def test_plan_and_discovery_say_how_much_there_is(tmp_path: Path) -> None:
    root = trees.repository(tmp_path / "project", {"a.py": "a\n", "b.png": "b", "c.py": "ccc\n"})

    async with CONNECTOR.open(trees.config(root), Given(Anonymous())) as connector:
        plan = await connector.plan()
        scopes = [scope async for scope in connector.discover()]

    assert [(p.title, p.artifacts, p.size_bytes) for p in plan.partitions] == [("project", 2, 6)]
    assert [(s.title, s.artifacts, s.size_bytes) for s in scopes] == [("project", 2, 6)]


async def _read(root: Path, cursor: LocalCursor | object, stop: int = 10_000) -> list[Event]:
    """Read, and crash after the checkpoint that follows ``stop`` artifacts."""
    told: list[Event] = []
    place = cursor if isinstance(cursor, LocalCursor) else None
    async with open_local(trees.config(root), Given(Anonymous()), checkpoint_every=2) as connector:
        async for event in connector.read(FILES, place):
            told.append(event)
            enough = sum(isinstance(event, Upsert) for event in told) >= stop
            if enough and isinstance(event, Checkpoint):
                break
    return told


def _object(root: Path, name: str) -> Path:
    digest = trees.git(root, "rev-parse", name)
    return root / ".git/objects" / digest[:2] / digest[2:]
