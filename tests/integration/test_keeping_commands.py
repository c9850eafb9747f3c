"""``headwater backup`` and ``headwater restore``, as somebody uses them."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from api.commands import backup as backup_command
from api.commands import restore as restore_command
from api.commands.ending import ExitCode, finish
from storage import connections, datadir, tenants
from storage.credentials import give
from storage.database import open_database
from storage.ids import LOCAL_TENANT
from storage.sealed import Keyring
from storage.settings import KEY_FILE


@pytest.fixture(autouse=True)
def home(tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with a connection; nothing of the real environment reaches it."""
    for name in ("HEADWATER_DATABASE_URL", "HEADWATER_API_URL", "HEADWATER_SECRET_KEYS"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("HEADWATER_DATA_DIR", str(folder))
    (folder / "headwater.db").write_bytes(migrated_sqlite.read_bytes())
    (folder / "version").write_text("0.1.0\n")
    asyncio.run(connect(folder))
    return folder


async def connect(folder: Path) -> None:
    keyring = Keyring.kept_in(folder / KEY_FILE)
    url = f"sqlite+aiosqlite:///{folder}/headwater.db"
    async with open_database(url) as database, database.transaction() as tx:
        await tenants.ensure_local(tx)
        made, _ = await connections.connect(
            tx, LOCAL_TENANT, owner="ada", kind="local", title="Notes", config={"path": "/notes"}
        )
        await give(tx, keyring, LOCAL_TENANT, made.id, kind="token", secret=b"s", actor="api")


def save(file: Path, *, as_json: bool = False) -> int:
    return finish(backup_command.run, {"file": str(file), "as_json": as_json})


def bring_back(file: Path, **options: Any) -> int:
    given = {"force": False, "yes": False, "as_json": False}
    return finish(restore_command.run, {"file": str(file), **given, **options})


def test_a_backup_comes_back_in_an_empty_place(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "headwater.tar"
    saved = save(file)
    said = capsys.readouterr().err
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setenv("HEADWATER_DATA_DIR", str(elsewhere))

    back = bring_back(file, as_json=True)

    told = json.loads(capsys.readouterr().out)
    assert (saved, back) == (ExitCode.DONE, ExitCode.INCOMPLETE)
    assert str(home / KEY_FILE) in said
    assert "not in it" in said
    assert list(told["unopened"].values()) == [1]
    assert file.stat().st_mode & 0o777 == 0o600
    assert not (elsewhere / KEY_FILE).exists(), "a key that opens nothing was made"


def test_with_the_keys_it_is_whole(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "headwater.tar"
    save(file)
    monkeypatch.setenv("HEADWATER_DATA_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("HEADWATER_SECRET_KEYS", (home / KEY_FILE).read_text().strip())

    assert bring_back(file) == ExitCode.DONE
    assert "go on when a worker starts" in capsys.readouterr().err


def test_what_is_not_empty_is_replaced_only_if_that_is_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "headwater.tar"
    save(file)

    asked = bring_back(file), bring_back(file, force=True)
    said = capsys.readouterr().err
    meant = bring_back(file, force=True, yes=True)

    assert asked == (ExitCode.USAGE, ExitCode.USAGE)
    assert "not empty" in said
    assert "--force --yes" in said
    assert meant == ExitCode.DONE


def test_nothing_is_restored_beneath_a_running_stack(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "headwater.tar"
    with datadir.hold(home, "0.1.0"):
        saved = save(file)
        refused = bring_back(file, force=True, yes=True)

    assert (saved, refused) == (ExitCode.DONE, ExitCode.CANNOT_RUN)
    assert "in use" in capsys.readouterr().err


def test_a_backup_takes_the_place_of_nothing_and_is_of_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "headwater.tar"
    file.write_text("mine")
    there = save(file), save(tmp_path / "no" / "such" / "folder.tar")
    monkeypatch.setenv("HEADWATER_DATA_DIR", str(tmp_path / "nothing"))
    nothing = save(tmp_path / "other.tar")

    said = capsys.readouterr().err
    assert there == (ExitCode.USAGE, ExitCode.CANNOT_RUN)
    assert nothing == ExitCode.USAGE
    assert file.read_text() == "mine"
    assert "nothing to back up" in said
    assert not (tmp_path / "nothing").exists()


def test_what_is_no_backup_is_said_to_be_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "holiday.jpg"
    file.write_bytes(b"\xff\xd8" * 500)

    refused = (
        bring_back(file, force=True, yes=True),
        bring_back(tmp_path / "missing.tar", force=True, yes=True),
    )

    said = capsys.readouterr().err
    assert refused == (ExitCode.CANNOT_RUN, ExitCode.CANNOT_RUN)
    assert "no backup" in said
    assert "cannot be read" in said
