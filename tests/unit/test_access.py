"""Credentials as connectors see them, and what is said when one is dead."""

import pytest
from pydantic import SecretStr, ValidationError

from connectors.access import (
    CREDENTIALS,
    Anonymous,
    Credential,
    Given,
    Grant,
    Installation,
    Password,
    Token,
)
from connectors.errors import Cause, ReauthorizationNeeded

SECRET = SecretStr("s3cr3t-canary")
EVERY: list[Credential] = [
    Token(token=SECRET),
    Grant(access_token=SECRET),
    Password(user="ada", password=SECRET),
    Installation(app_id="1", installation_id=2, private_key=SECRET),
]


@pytest.mark.parametrize("credential", EVERY, ids=lambda each: each.kind)
def test_credential_never_shows_its_secret(credential: Credential) -> None:
    shown = f"{credential} {credential!r} {credential.model_dump_json()}"

    assert "canary" not in shown


def test_credential_that_is_wrong_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValidationError) as caught:
        CREDENTIALS.validate_python({"kind": "token", "tokn": "canary"})

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("credential", "cause"),
    [
        (Anonymous(), Cause.MISSING),
        (EVERY[0], Cause.REVOKED),
        (EVERY[1], Cause.REVOKED),
        (EVERY[2], Cause.PASSWORD_CHANGED),
        (EVERY[3], Cause.REVOKED),
    ],
)
async def test_given_credential_that_is_refused_asks_its_owner(
    credential: Credential, cause: Cause
) -> None:
    with pytest.raises(ReauthorizationNeeded, match="GitHub") as caught:
        await Given(credential, "GitHub").renew(credential)

    assert caught.value.cause is cause


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_says_what_happened_and_what_to_do(cause: Cause) -> None:
    error = ReauthorizationNeeded(cause, "Gmail", detail="invalid_grant")

    assert str(error).startswith("Gmail ")
    assert str(error).endswith(": invalid_grant")
    assert error.action
