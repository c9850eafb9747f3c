"""The guide for receivers of webhooks is true."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from storage.database import Database
from storage.webhooks import Kind
from tests.hooked import courier, hooked

GUIDE = Path(__file__).parents[2] / "docs/webhooks.md"
Verified = Callable[[Mapping[str, str], bytes, str], bool]


@pytest.fixture
def verified() -> Verified:
    """What the guide shows for verifying."""
    names: dict[str, object] = {}
    exec(block("python"), names)  # noqa: S102  # our own page
    return cast("Verified", names["verified"])


def block(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(found)


def test_verifying_takes_twenty_lines() -> None:
    assert len([line for line in block("python").splitlines() if line.strip()]) <= 20


def test_every_event_is_told_of() -> None:
    text = GUIDE.read_text()

    assert [kind for kind in Kind if f"`{kind}`" not in text] == []


async def test_what_comes_is_verified_and_what_was_changed_is_not(
    database: Database, verified: Verified
) -> None:
    async with hooked(database) as hook:
        await hook.probe()
        await courier(database).look()
        [told] = hook.receiver.told

    assert verified(told.headers, told.body, hook.secret)
    assert not verified(told.headers, told.body + b" ", hook.secret)
    assert not verified(told.headers, told.body, "whsec_AAAA")
    old = str(int(told.headers["webhook-timestamp"]) - 301)
    for name, value in (("webhook-id", "msg_other"), ("webhook-timestamp", old)):
        assert not verified({**told.headers, name: value}, told.body, hook.secret)


async def test_a_body_has_what_the_guide_shows(database: Database) -> None:
    shown: dict[str, Any] = json.loads(block("json"))

    async with hooked(database) as hook:
        await hook.probe()
        await courier(database).look()
        [told] = hook.receiver.told

    body = json.loads(told.body)
    assert body.keys() == shown.keys()
    assert told.headers["content-type"] == "application/json"
