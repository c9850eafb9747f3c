"""What is believed of a webhook: the bytes that GitHub signed, and nothing else."""

import json

import pytest
from pydantic import SecretStr

from connectors.github.fake.hooks import Delivery, Hooks
from connectors.github.hints import GitHubEar, open_ear
from connectors.hearing import Forged, HintSettings, Told, Unset
from tests import hub

SECRET = "an old secret"  # noqa: S105  # of a test


def ear(secrets: str = SECRET) -> GitHubEar:
    return open_ear(HintSettings(github_webhook_secret=SecretStr(secrets)))


def hooks(secret: str = SECRET, installation: int | None = None) -> Hooks:
    fake = hub.fake()
    fake.world.add_repo(hub.NAME, {"a.md": b"a"})
    return Hooks(fake.world, secret.encode(), installation=installation)


async def heard(delivery: Delivery, secrets: str = SECRET) -> Told | None:
    headers = {name.lower(): value for name, value in delivery.headers.items()}
    return await ear(secrets).hear(headers, delivery.body)


async def test_a_signed_webhook_names_its_repository_and_its_installation() -> None:
    it = hooks(installation=77)
    repo = it.world.repos[hub.NAME]
    it.world.push(repo, {"a.md": b"b"})

    (delivery,) = it.changes()
    told = await heard(delivery)

    assert told == Told(
        known_by=(delivery.body, delivery.headers["X-GitHub-Delivery"]),
        account="installation:77",
        chooses="repositories",
        name=hub.NAME,
        mark=("repository", repo.id),
    )
    assert it.changes() == []


async def test_a_ping_is_heard_and_tells_nothing() -> None:
    it = hooks()

    assert await heard(it.ping(it.world.repos[hub.NAME])) is None


async def test_the_same_json_in_other_bytes_is_forged() -> None:
    it = hooks()
    delivery = it.delivery("push", it.world.repos[hub.NAME])
    other = json.dumps(json.loads(delivery.body), separators=(",", ":")).encode()

    assert json.loads(other) == json.loads(delivery.body)
    with pytest.raises(Forged):
        await heard(Delivery(delivery.headers, other))


@pytest.mark.parametrize(
    "signature", ["", "sha256=", "sha1=abc", "sha256=" + "0" * 64, "sha256=ü", "\ud800"]
)
async def test_what_is_not_signed_so_is_forged(signature: str) -> None:
    it = hooks()
    delivery = it.delivery("push", it.world.repos[hub.NAME])
    headers = {**delivery.headers, "X-Hub-Signature-256": signature}

    with pytest.raises(Forged):
        await heard(Delivery(headers, delivery.body))


async def test_while_a_secret_is_replaced_both_are_good_and_a_third_is_not() -> None:
    for secret in ("old", "new"):
        it = hooks(secret)
        assert await heard(it.delivery("push", it.world.repos[hub.NAME]), "old, new")
    it = hooks("old, new")
    with pytest.raises(Forged):
        await heard(it.delivery("push", it.world.repos[hub.NAME]), "old, new")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'"push"'])
async def test_what_github_signed_and_nobody_can_read_tells_nothing(body: bytes) -> None:
    assert await heard(hooks().signed("push", body)) is None


@pytest.mark.parametrize("body", [b'{"repository": 1}', b'{"repository": {"id": "x"}, "a": []}'])
async def test_what_names_nothing_is_about_nothing(body: bytes) -> None:
    told = await heard(hooks().signed("push", body))

    assert told is not None
    assert (told.account, told.name, told.mark) == (None, None, None)


@pytest.mark.parametrize("secrets", ["", " , "])
def test_without_a_secret_nobody_listens(secrets: str) -> None:
    with pytest.raises(Unset, match="HEADWATER_GITHUB_WEBHOOK_SECRET"):
        ear(secrets)
