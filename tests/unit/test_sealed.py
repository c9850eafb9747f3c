"""Sealing secrets: who may open them, and as what."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from storage.errors import SealBroken, SecretKeyMissing, SetupError
from storage.sealed import Belongs, Keyring, Sealed, new_key
from storage.settings import StorageSettings

SECRET = b"s3cr3t-canary"
MINE = Belongs("tenant", "connection", "credential")


@pytest.fixture
def keyring() -> Keyring:
    return Keyring.parse(new_key())


def test_secret_is_opened_as_what_it_was_sealed(keyring: Keyring) -> None:
    sealed = keyring.seal(SECRET, MINE)

    assert SECRET not in sealed.body
    assert keyring.open(sealed, MINE) == SECRET


@pytest.mark.parametrize(
    "other",
    [
        replace(MINE, tenant="other"),
        replace(MINE, subject="other"),
        replace(MINE, field="verifier"),
        Belongs("tenant|connection", "credential", ""),
    ],
)
def test_secret_that_was_moved_does_not_open(keyring: Keyring, other: Belongs) -> None:
    with pytest.raises(SealBroken):
        keyring.open(keyring.seal(SECRET, MINE), other)


@pytest.mark.parametrize("place", [0, 12, -1])
def test_secret_that_was_changed_does_not_open(keyring: Keyring, place: int) -> None:
    sealed = keyring.seal(SECRET, MINE)
    body = bytearray(sealed.body)
    body[place] ^= 1

    with pytest.raises(SealBroken) as caught:
        keyring.open(Sealed(bytes(body), sealed.key_id), MINE)

    assert caught.value.__cause__ is None


@pytest.mark.parametrize("body", [b"", b"short"])
def test_secret_that_was_cut_off_does_not_open(keyring: Keyring, body: bytes) -> None:
    with pytest.raises(SealBroken):
        keyring.open(Sealed(body, keyring.sealing), MINE)


def test_two_seals_of_one_secret_differ(keyring: Keyring) -> None:
    assert keyring.seal(SECRET, MINE) != keyring.seal(SECRET, MINE)


def test_old_key_opens_and_new_one_seals() -> None:
    old, new = new_key(), new_key()
    before = Keyring.parse(old).seal(SECRET, MINE)
    both = Keyring.parse(f"{new},{old}")

    assert both.open(before, MINE) == SECRET
    assert both.seal(SECRET, MINE).key_id == Keyring.parse(new).sealing


def test_key_that_is_gone_is_named_by_its_id() -> None:
    before = Keyring.parse(new_key())
    sealed = before.seal(SECRET, MINE)

    with pytest.raises(SecretKeyMissing, match=before.sealing):
        Keyring.parse(new_key()).open(sealed, MINE)


def test_keys_are_never_shown() -> None:
    key = new_key()
    keyring = Keyring.parse(key)

    assert key not in repr(keyring)
    assert str(next(iter(keyring.keys.values()))) not in repr(keyring)


@pytest.mark.parametrize(
    "text",
    ["", " , ", "not base64!", "c2hvcnQ=", f"{new_key()},oops-canary"],
    ids=["nothing", "comma", "no base64", "short", "one of two"],
)
def test_what_is_no_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(SecretKeyMissing) as caught:
        Keyring.parse(text)

    assert "canary" not in str(caught.value)


def test_embedded_key_is_made_once_for_its_user_alone(tmp_path: Path) -> None:
    settings = StorageSettings(data_dir=tmp_path / "data")

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: settings.keyring().keys, range(16)))

    assert all(each == made[0] for each in made)
    file = tmp_path / "data" / ".secret-keys"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    settings = StorageSettings(data_dir=tmp_path)
    settings.keyring()
    (tmp_path / ".secret-keys").chmod(0o640)

    with pytest.raises(SetupError, match="Other users"):
        settings.keyring()


def test_shared_database_wants_keys_that_all_machines_share() -> None:
    settings = StorageSettings(database_url=SecretStr("postgresql://db/headwater"))

    with pytest.raises(SecretKeyMissing, match="HEADWATER_SECRET_KEYS is not set"):
        settings.keyring()


def test_given_keys_win_over_the_file(tmp_path: Path) -> None:
    key = new_key()
    settings = StorageSettings(data_dir=tmp_path, secret_keys=SecretStr(key))

    assert settings.keyring().keys == Keyring.parse(key).keys
    assert list(tmp_path.iterdir()) == []
