"""What is believed of a push: that Google signed for the account and the audience we know."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from connectors import egress
from connectors.errors import SourceUnavailable
from connectors.gmail.hints import GmailEar, open_ear
from connectors.google.identity import AGAIN_SECONDS, KEPT_SECONDS, Identity
from connectors.hearing import Forged, HintSettings, Told, Unset
from tests import hub, pushing
from tests.pushing import AUDIENCE, Google, push


@pytest.fixture
async def google() -> AsyncGenerator[Google]:
    async with pushing.google() as it:
        with egress.excepting(hub.LOOPBACK):
            yield it


@pytest.fixture
def ear(google: Google) -> GmailEar:
    return open_ear(google.settings)


async def test_a_push_tells_whose_mailbox_and_how_far_it_has_come(
    google: Google, ear: GmailEar
) -> None:
    told = await ear.hear(google.headers(), push("ann@example.org", 1_234, name="m1"))
    as_text = await ear.hear(google.headers(), push("ann@example.org", "1234", name="m2"))

    assert told == Told(
        known_by=("m1", "ann@example.org 1234"), account="ann@example.org", position=1_234
    )
    assert as_text is not None
    assert as_text.position == 1_234


@pytest.mark.parametrize(
    "different",
    [
        {"iss": "https://accounts.example.com"},
        {"aud": f"{AUDIENCE}/other"},
        {"email": "other@project.iam.gserviceaccount.com"},
        {"email_verified": False},
        {"exp": 1_000_000_000},  # in 2001
        {"iat": 4_000_000_000},  # in 2096
        {"key": 2},
        {"name": "unknown"},
    ],
    ids=str,
)
async def test_a_token_of_anybody_else_is_forged(
    google: Google, ear: GmailEar, different: dict[str, Any]
) -> None:
    with pytest.raises(Forged):
        await ear.hear(google.headers(**different), push("ann@example.org", 1))
    assert await ear.hear(google.headers(), push("ann@example.org", 1))


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer a.b.c", "Basic abc", "Bearer " + "a" * 10_000, "Bearer ü.é.à"]
)
async def test_what_bears_no_token_is_forged(google: Google, ear: GmailEar, shown: str) -> None:
    with pytest.raises(Forged):
        await ear.hear({"authorization": shown}, push("ann@example.org", 1))


async def test_a_token_that_says_it_needs_no_signature_is_forged(
    google: Google, ear: GmailEar
) -> None:
    _, claims, _ = google.headers()["authorization"].removeprefix("Bearer ").split(".")
    none = "eyJhbGciOiJub25lIiwia2lkIjoib25lIn0"  # {"alg":"none","kid":"one"}

    for signature in ("", "AAAA"):
        shown = {"authorization": f"Bearer {none}.{claims}.{signature}"}
        with pytest.raises(Forged):
            await ear.hear(shown, push("ann@example.org", 1))


async def test_certificates_are_fetched_once_and_never_for_a_forged_name(
    google: Google, ear: GmailEar
) -> None:
    for number in range(5):
        await ear.hear(google.headers(), push("ann@example.org", number))
        with pytest.raises(Forged):
            await ear.hear(google.headers(name=f"n{number}"), push("ann@example.org", number))

    assert google.asked == 1


async def test_while_certificates_cannot_be_had_nothing_is_believed_and_later_all_is(
    google: Google,
) -> None:
    moments = [0.0]
    identity = Identity(
        AUDIENCE, pushing.ACCOUNT, f"{google.origin}/certs", now=lambda: moments[-1]
    )
    ear = GmailEar(identity)
    body = push("ann@example.org", 1)
    google.away = True
    for _ in range(3):
        with pytest.raises(SourceUnavailable):
            await ear.hear(google.headers(), body)
    asked = google.asked
    google.away = False
    moments.append(AGAIN_SECONDS)
    believed = await ear.hear(google.headers(), body)
    google.away = True
    moments.append(AGAIN_SECONDS + KEPT_SECONDS)
    kept = await ear.hear(google.headers(), body)

    assert asked == 1
    assert believed == kept is not None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"message": 1}',
        b'{"message": {"data": "%%", "messageId": "1"}}',
        push("ann@example.org", "-1"),
        push("ann@example.org", 10**30),
        push("ann@example.org", "٣"),
        json.dumps({"message": {"data": "e30=", "messageId": "1"}}).encode(),
    ],
)
async def test_what_google_signed_and_says_nothing_tells_nothing(
    google: Google, ear: GmailEar, body: bytes
) -> None:
    assert await ear.hear(google.headers(), body) is None


def test_without_an_audience_and_an_account_nobody_listens() -> None:
    with pytest.raises(Unset) as both:
        open_ear(HintSettings.model_construct())
    with pytest.raises(Unset) as one:
        open_ear(HintSettings(gmail_push_audience=AUDIENCE))

    assert both.value.settings == ("HEADWATER_GMAIL_PUSH_AUDIENCE", "HEADWATER_GMAIL_PUSH_ACCOUNT")
    assert one.value.settings == ("HEADWATER_GMAIL_PUSH_ACCOUNT",)
