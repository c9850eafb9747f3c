"""``headwater keys``, as somebody uses it before anything runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.commands import apikeys, up
from api.commands.ending import ExitCode, finish

CREATE: dict[str, Any] = {
    "what": "create",
    "name": "backend",
    "tenant": None,
    "new_tenant": False,
    "owner": None,
    "scopes": [],
    "days": None,
    "as_json": True,
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory; nothing of the real environment reaches it."""
    for name in ("HEADWATER_DATABASE_URL", "HEADWATER_API_URL", "HEADWATER_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEADWATER_DATA_DIR", str(tmp_path))
    (tmp_path / "headwater.db").write_bytes(migrated_sqlite.read_bytes())
    return tmp_path


def say(capsys: pytest.CaptureFixture[str], **options: Any) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert finish(apikeys.run, options) == ExitCode.DONE
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def refuse(capsys: pytest.CaptureFixture[str], **options: Any) -> str:
    capsys.readouterr()
    assert finish(apikeys.run, options) == ExitCode.USAGE
    return capsys.readouterr().err


def test_a_key_is_made_listed_replaced_and_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    (made,) = say(capsys, **CREATE)
    (new,) = say(capsys, what="replace", key=made["key"], overlap_hours=1, days=30, as_json=True)
    say(capsys, what="revoke", key=new["prefix"], as_json=True)
    listed = say(capsys, what="list", as_json=True)

    assert made["key"].startswith(f"hw_{made['prefix']}_")
    assert (new["name"], new["scopes"]) == ("backend", made["scopes"])
    assert [each["prefix"] for each in listed] == [new["prefix"], made["prefix"]]
    assert [each["revoked_at"] is None for each in listed] == [False, True]
    assert all(each["expires_at"] is not None for each in listed)
    assert not any("key" in each for each in listed)


def test_a_secret_is_all_that_standard_output_gets(capsys: pytest.CaptureFixture[str]) -> None:
    finish(apikeys.run, {**CREATE, "as_json": False})

    said = capsys.readouterr()
    assert said.out.startswith("hw_")
    assert said.out.count("\n") == 1
    assert "never shown again" in said.err


def test_a_slip_makes_no_tenant(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = refuse(capsys, **{**CREATE, "tenant": "acme"})
    say(capsys, **{**CREATE, "tenant": "acme", "new_tenant": True})
    there = refuse(capsys, **{**CREATE, "tenant": "acme", "new_tenant": True})
    (second,) = say(capsys, **{**CREATE, "tenant": "acme"})

    assert "--new-tenant" in unknown
    assert "already" in there
    assert [each["tenant_id"] for each in say(capsys, what="list", as_json=True)] == [
        second["tenant_id"]
    ] * 2


def test_scopes_that_are_none_or_of_all_owners_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    strange = refuse(capsys, **{**CREATE, "scopes": ["runs:raed"]})
    too_much = refuse(capsys, **{**CREATE, "owner": "ada", "scopes": ["money:write"]})
    (just,) = say(capsys, **{**CREATE, "owner": "ada"})

    assert "runs:raed" in strange
    assert "runs:read" in strange
    assert "money:write" in too_much
    assert "search:read" in just["scopes"]
    assert "money:read" not in just["scopes"]


def test_a_key_that_is_none_is_not_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    assert "headwater keys list" in refuse(capsys, what="revoke", key="nothing", as_json=False)


def test_up_does_not_let_others_in_before_there_is_a_key(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = finish(up.run, {"host": "0.0.0.0", "port": 0})  # noqa: S104  # refused

    assert code == ExitCode.CANNOT_RUN
    said = capsys.readouterr().err
    assert "there is no key yet" in said
    assert "headwater keys create" in said
