"""Where things are kept, as people write it into the environment."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from storage.errors import SetupError
from storage.settings import StorageSettings

ACTION = "postgresql://user:password@host:5432/name"


def settings(url: str | None = None, data_dir: str = "/data") -> StorageSettings:
    secret = None if url is None else SecretStr(url)
    return StorageSettings(data_dir=Path(data_dir), database_url=secret, redis_url=None)


def test_without_a_database_url_a_file_in_the_data_directory_is_used() -> None:
    assert settings().sql_url() == "sqlite+aiosqlite:////data/headwater.db"


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://me:p%40ss@db:5433/name",
        "postgres://me:p%40ss@db:5433/name",
        "postgresql+asyncpg://me:p%40ss@db:5433/name",
        "postgresql+psycopg2://me:p%40ss@db:5433/name\n",
    ],
)
def test_every_spelling_of_postgresql_becomes_our_driver(given: str) -> None:
    assert settings(given).sql_url() == "postgresql+asyncpg://me:p%40ss@db:5433/name"


def test_sslmode_is_told_to_the_driver_in_its_own_word() -> None:
    url = settings("postgres://db/name?sslmode=require").sql_url()

    assert url == "postgresql+asyncpg://db/name?ssl=require"


@pytest.mark.parametrize(
    "given", ["nonsense hunter2", "mysql://me:hunter2@db/name", "postgresql://me:hunter2@db:x/y"]
)
def test_what_is_no_database_is_refused_without_repeating_it(given: str) -> None:
    with pytest.raises(SetupError) as caught:
        settings(given).sql_url()

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert ACTION in caught.value.action


def test_settings_do_not_show_passwords() -> None:
    assert "hunter2" not in repr(settings("postgresql://me:hunter2@db/name"))


def test_the_data_directory_may_be_relative_or_in_the_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir(tmp_path)

    assert settings(data_dir="~/headwater").data_dir == Path("/home/me/headwater")
    assert settings(data_dir="here").data_dir == tmp_path / "here"


def test_empty_variables_count_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_DATABASE_URL", "")
    monkeypatch.setenv("HEADWATER_REDIS_URL", "")
    monkeypatch.setenv("HEADWATER_DATA_DIR", "/elsewhere")

    found = StorageSettings()

    assert (found.database_url, found.redis_url) == (None, None)
    assert found.data_dir == Path("/elsewhere")
