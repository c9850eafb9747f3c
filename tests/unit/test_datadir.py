"""A data directory has one holder, who can be found, and refuses what is not its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage.datadir import Instance, hold, running, write_private
from storage.errors import DataDirectoryBusy, DataDirectoryForeign, SetupError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some" / "where"


def test_it_is_made_for_its_user_alone(path: Path) -> None:
    with hold(path, "1.2.3"):
        assert path.stat().st_mode & 0o777 == 0o700
        assert {each.stat().st_mode & 0o777 for each in path.iterdir()} == {0o600}


def test_the_running_stack_can_be_found(path: Path) -> None:
    with hold(path, "1.2.3") as directory:
        starting = running(path)
        directory.announce(api_url="http://127.0.0.1:8420", pids={"worker": 7})
        started = running(path)

    assert starting == Instance(pid=os.getpid(), version="1.2.3", api_url=None, pids={})
    assert started == Instance(
        pid=os.getpid(), version="1.2.3", api_url="http://127.0.0.1:8420", pids={"worker": 7}
    )


def test_nothing_runs_where_nobody_was_or_where_somebody_left(path: Path) -> None:
    before = running(path)
    with hold(path, "1.2.3"):
        pass

    assert before is None
    assert running(path) is None


def test_a_second_holder_is_told_who_the_first_is(path: Path) -> None:
    with hold(path, "1.2.3") as directory:
        directory.announce(api_url="http://127.0.0.1:8420", pids={})

        with pytest.raises(DataDirectoryBusy) as refused, hold(path, "1.2.3"):
            pass

        assert running(path) is not None
    assert_one_sentence(refused.value)
    assert "http://127.0.0.1:8420" in str(refused.value)
    assert str(os.getpid()) in str(refused.value)


def test_a_holder_that_was_killed_holds_nothing(path: Path) -> None:
    program = (
        "import os, pathlib, sys; from storage.datadir import hold; "
        "held = hold(pathlib.Path(sys.argv[1]), '1.2.3'); held.__enter__(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program, path], check=False)

    found = running(path)

    assert (path / "instance.json").exists()
    assert found is None
    with hold(path, "1.2.3"):
        pass


def test_a_program_that_was_started_inside_does_not_hold_it_on(path: Path) -> None:
    with hold(path, "1.2.3"):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    found = running(path)

    child.communicate(b"\n")
    assert found is None


def test_it_goes_on_with_what_an_older_version_left(path: Path) -> None:
    with hold(path, "1.2.3"):
        pass

    with hold(path, "1.10.0.dev1+local"):
        pass

    assert (path / "version").read_text() == "1.10.0.dev1+local\n"


def test_a_newer_version_of_the_same_line_is_no_stranger(path: Path) -> None:
    with hold(path, "1.2.9"):
        pass

    with hold(path, "1.2.3"):
        pass


def test_what_a_newer_version_left_is_refused(path: Path) -> None:
    with hold(path, "1.10.0"):
        pass

    with pytest.raises(DataDirectoryForeign, match=r"1\.10\.0") as refused, hold(path, "1.9.0"):
        pass

    assert_one_sentence(refused.value)
    assert (path / "version").read_text() == "1.10.0\n"


def test_a_directory_of_something_else_is_refused_untouched(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "holiday.jpg").touch()

    with pytest.raises(DataDirectoryForeign, match=r"holiday\.jpg") as refused, hold(path, "1.0"):
        pass

    assert_one_sentence(refused.value)
    assert [each.name for each in path.iterdir()] == ["holiday.jpg"]


def test_what_a_part_of_ours_made_before_is_no_stranger(path: Path) -> None:
    path.mkdir(parents=True)
    for name in ("prefect", "headwater.db", "headwater.db-wal", ".gitignore"):
        (path / name).touch()

    with hold(path, "1.0"):
        pass


def test_a_version_that_nobody_can_read_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    (path / "version").write_text("PG 16\n")

    with pytest.raises(DataDirectoryForeign) as refused, hold(path, "1.0"):
        pass

    assert_one_sentence(refused.value)


@pytest.mark.parametrize("where", ["file", "file/inside", "loop"])
def test_a_place_that_cannot_be_a_directory_is_refused(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(DataDirectoryForeign) as refused, hold(tmp_path / where, "1.0"):
        pass

    assert_one_sentence(refused.value)
    assert str(tmp_path / where) in str(refused.value)
    assert running(tmp_path / where) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_refused(path: Path) -> None:
    path.mkdir(parents=True, mode=0o500)

    with pytest.raises(DataDirectoryForeign, match="permission") as refused, hold(path, "1.0"):
        pass

    assert_one_sentence(refused.value)


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("open to all, and longer than what follows")
    file.chmod(0o644)

    write_private(file, "short")

    assert file.read_text() == "short"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["secret"]


def assert_one_sentence(error: SetupError) -> None:
    assert str(error).endswith(".")
    assert "\n" not in str(error)
    assert "HEADWATER_DATA_DIR" in error.action
