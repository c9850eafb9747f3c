"""``headwater doctor`` on installations that are not well: a sentence each, with what to do."""

import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr
from redis.asyncio import Redis

from api.attaching import StackSettings
from api.doctor import Check, Grade, examine
from storage import schema, workers
from storage.database import Database


async def examined(home: Path, **settings: object) -> Mapping[str, Check]:
    given = StackSettings.model_validate({"data_dir": home, **settings})
    return {check.name: check async for check in examine(given)}


async def test_a_data_directory_of_a_newer_version(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("99.1.0\n")

    found = (await examined(tmp_path))["data"]

    assert found.grade is Grade.FAIL
    assert "belongs to Headwater 99.1.0" in found.detail
    assert found.action == ("Use Headwater 99.1.0, or set HEADWATER_DATA_DIR to another directory.")


async def test_a_schema_of_an_older_version(tmp_path: Path, migrated_sqlite: Path) -> None:
    file = tmp_path / "headwater.db"
    shutil.copyfile(migrated_sqlite, file)
    with sqlite3.connect(file) as old:
        old.execute("UPDATE alembic_version SET version_num = '0002'")
    old.close()

    found = (await examined(tmp_path))["database"]

    assert found.grade is Grade.FAIL
    assert f"is at schema 0002, and this version of Headwater needs {schema.head()}" in found.detail
    assert "python -m storage.migrations" in (found.action or "")


async def test_a_redis_that_may_forget(tmp_path: Path, redis: Redis, redis_url: str) -> None:
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        found = (await examined(tmp_path, redis_url=SecretStr(redis_url)))["redis"]
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")

    assert found.grade is Grade.WARN
    assert "Redis may throw live views away: its maxmemory-policy is allkeys-lru." in found.detail
    assert found.action == "Set its maxmemory-policy to noeviction."


async def test_it_says_whether_anybody_is_there_to_work(
    tmp_path: Path, database: Database, database_url: str
) -> None:
    given = SecretStr(database_url)
    without = (await examined(tmp_path, database_url=given))["workers"]
    async with database.transaction() as tx:
        await workers.register(tx, name="one", version="1", host="here", pid=1, slots=4)

    found = (await examined(tmp_path, database_url=given))["workers"]

    assert without.grade is Grade.WARN
    assert "runs that are asked for wait" in without.detail
    assert "Start one" in (without.action or "")
    assert (found.grade, found.detail) == (Grade.OK, "1, with 0 of 4 slots in use")


async def test_no_worker_is_missed_where_nothing_runs(tmp_path: Path) -> None:
    assert (await examined(tmp_path))["workers"].grade is Grade.OK
