"""A grant is kept alive, by one at a time, on both databases and against an OAuth server."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from connectors.access import (
    Anonymous,
    Consent,
    Credential,
    Grant,
    Installation,
    Password,
    Permission,
    Token,
)
from connectors.errors import Cause, ReauthorizationNeeded, SourceRefused, SourceUnavailable
from connectors.fakes.grants import Provider as FakeProvider
from connectors.fakes.oauth import serving
from connectors.keeping import App, KeptAccess, KeptGrant, write_down
from connectors.oauth.client import GrantOver, OAuthClient, Tokens
from connectors.oauth.providers import PROVIDERS, Provider, Revocation
from storage import audit, credentials
from storage.connections import Connection
from storage.credentials import Vault
from storage.database import Database
from storage.ids import TenantId
from storage.sealed import Keyring, new_key

KEYRING = Keyring.parse(new_key())
REDIRECT = "http://127.0.0.1:9/v1/oauth/fake/callback"
SCOPES = ("notes.read", "labels.read")
VERIFIER = "v" * 43


@dataclass
class Source:
    """An owner's grant at the fake, kept in the database."""

    fake: FakeProvider
    url: str
    client: OAuthClient
    vault: Vault

    async def consent(self, scopes: Sequence[str] = SCOPES) -> Tokens:
        return await self.client.exchange(
            await self.code(scopes), verifier=VERIFIER, redirect_uri=REDIRECT
        )

    async def code(self, scopes: Sequence[str] = SCOPES) -> str:
        wanted = Consent("fake", tuple(Permission(scope, "") for scope in scopes))
        where = await self.client.authorize_url(
            wanted, state="state", verifier=VERIFIER, redirect_uri=REDIRECT
        )
        asked = {name: values[0] for name, values in parse_qs(urlsplit(where).query).items()}
        back = self.fake.decide(self.fake.ask(asked), "allow", scopes)
        return parse_qs(urlsplit(back).query)["code"][0]

    async def keep(self, kind: str, kept: Credential | KeptGrant) -> KeptAccess:
        async with self.vault.database.transaction() as tx:
            await credentials.give(
                tx,
                KEYRING,
                self.vault.tenant,
                self.vault.connection,
                kind=kind,
                secret=write_down(kept),
                actor="test",
            )
        return self.access()

    async def granted(
        self,
        *,
        left: timedelta = timedelta(hours=1),
        age: timedelta = timedelta(0),
        refreshed: timedelta = timedelta(0),
    ) -> KeptAccess:
        """A grant of this ``age``, refreshed last so long after it began."""
        now = datetime.now(UTC)
        grant = KeptGrant.of(await self.consent(), now=now - age)
        changed = {"expires_at": now + left, "refreshed_at": now - age + refreshed}
        return await self.keep("oauth", grant.model_copy(update=changed))

    def access(self) -> KeptAccess:
        required = frozenset({"notes.read"})
        return KeptAccess(self.vault, "Fake", required=required, client=self.client)

    async def opens(self, credential: Credential) -> bool:
        assert isinstance(credential, Grant)
        token = credential.access_token.get_secret_value()
        async with httpx.AsyncClient() as client:
            answer = await client.get(
                f"{self.url}/account", headers={"Authorization": f"Bearer {token}"}
            )
        return answer.status_code == 200

    async def actions(self) -> list[str]:
        async with self.vault.database.reading() as tx:
            told = await audit.of_connection(tx, self.vault.tenant, self.vault.connection)
        return [each.action for each in told]

    @property
    def refreshes(self) -> int:
        return self.fake.story.count("token refresh_token")


@pytest.fixture
def source(database: Database, tenant: TenantId, connection: Connection) -> Iterator[Source]:
    fake = FakeProvider(frozenset({REDIRECT}))
    with serving(fake) as url:
        provider = Provider(
            name="fake",
            title="Fake",
            authorize_url=f"{url}/authorize",
            token_url=f"{url}/token",
            revoke_url=f"{url}/revoke",
            testing=timedelta(days=7),
            idle=timedelta(days=180),
        )
        client = OAuthClient(
            provider=provider,
            client_id=fake.client_id,
            client_secret=SecretStr(fake.client_secret),
        )
        vault = Vault(database, KEYRING, tenant, connection.id, actor="run:1")
        yield Source(fake, url, client, vault)


SOON = timedelta(minutes=2)
PAST = timedelta(minutes=-2)


async def test_grant_that_lasts_is_given_as_it_is_and_told_in_the_audit_once(
    source: Source,
) -> None:
    access = await source.granted()

    first, second = await access.credential(), await access.credential()

    assert first == second
    assert await source.opens(first)
    assert source.refreshes == 0
    assert await source.actions() == ["created", "opened"]


async def test_grant_that_ends_soon_is_refreshed_before_it_is_used(source: Source) -> None:
    access = await source.granted(left=SOON)

    assert await source.opens(await access.credential())
    assert await source.opens(await source.access().credential())
    assert source.refreshes == 1
    assert await source.actions() == ["created", "opened", "refreshed", "opened"]


async def test_many_at_once_refresh_once(source: Source) -> None:
    await source.granted(left=PAST)
    processes = [source.access() for _ in range(6)]

    given = await asyncio.gather(*(each.credential() for each in processes for _ in range(3)))

    assert source.refreshes == 1
    assert (
        len({each.access_token.get_secret_value() for each in given if isinstance(each, Grant)})
        == 1
    )


async def test_refused_grant_is_renewed_and_the_others_get_the_same(source: Source) -> None:
    first, second = await source.granted(), source.access()
    refused = await second.credential()
    source.fake.control({"expire": True})

    renewed = await first.renew(await first.credential())

    assert await source.opens(renewed)
    assert await second.renew(refused) == renewed
    assert source.refreshes == 1


async def test_provider_that_does_not_rotate_is_fine(source: Source) -> None:
    source.fake.rotate = False
    access = await source.granted(left=PAST)

    renewed = await access.renew(await access.credential())

    assert await source.opens(renewed)
    assert source.refreshes == 2


async def test_who_is_told_to_stop_in_a_refresh_still_keeps_what_came_of_it(
    source: Source,
) -> None:
    access = await source.granted(left=PAST)
    refreshing = asyncio.create_task(access.credential())
    while not source.refreshes:
        await asyncio.wait({refreshing}, timeout=0.005)
    refreshing.cancel()
    await asyncio.wait({refreshing})

    assert await source.opens(await source.access().credential())


async def test_revoked_grant_asks_its_owner_and_is_never_tried_again(source: Source) -> None:
    access = await source.granted(left=PAST)
    source.fake.control({"revoke": True})

    for each in (access, access, source.access()):
        with pytest.raises(ReauthorizationNeeded) as caught:
            await each.credential()
        assert caught.value.cause is Cause.REVOKED

    assert source.refreshes == 1
    assert await source.actions() == ["created", "opened", "died"]


@pytest.mark.parametrize(
    ("age", "refreshed", "cause"),
    [
        (timedelta(days=8), timedelta(days=3), Cause.TESTING),
        (timedelta(days=30), timedelta(days=7, hours=-1), Cause.TESTING),
        (timedelta(days=30), timedelta(days=20), Cause.REVOKED),
        (timedelta(days=200), timedelta(days=1), Cause.EXPIRED),
        (timedelta(hours=2), timedelta(hours=1), Cause.REVOKED),
    ],
)
async def test_cause_is_what_the_age_of_the_grant_tells(
    source: Source, age: timedelta, refreshed: timedelta, cause: Cause
) -> None:
    access = await source.granted(age=age, refreshed=refreshed, left=PAST)
    source.fake.control({"revoke": True})

    with pytest.raises(ReauthorizationNeeded) as caught:
        await access.credential()

    assert caught.value.cause is cause


async def test_grant_that_lost_what_is_needed_says_so(source: Source) -> None:
    access = await source.granted(left=PAST)
    source.fake.control({"drop": "notes.read"})

    with pytest.raises(ReauthorizationNeeded) as caught:
        await access.credential()

    assert caught.value.cause is Cause.SCOPE_REDUCED


async def test_grant_that_lost_something_else_goes_on_without(source: Source) -> None:
    access = await source.granted(left=PAST)
    source.fake.control({"drop": "labels.read"})

    credential = await access.credential()

    assert isinstance(credential, Grant)
    assert credential.scopes == {"notes.read"}


async def test_provider_that_is_out_is_tried_again_and_nothing_dies(source: Source) -> None:
    access = await source.granted(left=PAST)
    source.fake.control({"fail": 503})

    with pytest.raises(SourceUnavailable):
        await access.credential()

    assert await source.opens(await access.credential())


async def test_provider_that_cannot_be_reached_is_tried_again(source: Source) -> None:
    access = await source.granted(left=PAST)
    away = replace(source.client.provider, token_url=REDIRECT)
    broken = replace(access, client=replace(source.client, provider=away))

    with pytest.raises(SourceUnavailable) as caught:
        await broken.credential()

    assert caught.value.__cause__ is None
    assert await source.opens(await access.credential())


async def test_wrong_secret_of_the_app_is_the_operators_to_mend(source: Source) -> None:
    access = await source.granted(left=PAST)
    client = replace(source.client, client_secret=SecretStr("wrong"))

    with pytest.raises(SourceRefused, match="invalid_client") as caught:
        await replace(access, client=client).credential()

    assert "HEADWATER_OAUTH__FAKE__CLIENT_SECRET" in caught.value.action
    assert await source.opens(await access.credential())


async def test_new_consent_while_a_run_holds_the_old_one_is_taken_up(source: Source) -> None:
    access = await source.granted()
    refused = await access.credential()
    source.fake.control({"revoke": True})
    again = await source.granted()

    renewed = await access.renew(refused)

    assert renewed == await again.credential()
    assert await source.opens(renewed)
    assert source.refreshes == 0


async def test_run_that_was_refused_does_not_bury_a_newer_consent(source: Source) -> None:
    access = await source.granted()
    await access.credential()
    again = await source.granted()

    await access.bury(ReauthorizationNeeded(Cause.SSO_REQUIRED, "Fake"))

    assert await source.opens(await again.credential())


async def test_what_the_source_found_is_kept_for_the_next_run(source: Source) -> None:
    access = await source.granted()
    await access.credential()

    await access.bury(ReauthorizationNeeded(Cause.SSO_REQUIRED, "Fake"))

    with pytest.raises(ReauthorizationNeeded) as caught:
        await source.access().credential()
    assert caught.value.cause is Cause.SSO_REQUIRED


@pytest.mark.parametrize(
    ("credential", "cause"),
    [
        (Token(token=SecretStr("ghp_1")), Cause.REVOKED),
        (Password(user="ada", password=SecretStr("app password")), Cause.PASSWORD_CHANGED),
    ],
)
async def test_what_cannot_be_renewed_asks_its_owner_when_it_is_refused(
    source: Source, credential: Credential, cause: Cause
) -> None:
    access = await source.keep(credential.kind, credential)

    assert await access.credential() == credential
    with pytest.raises(ReauthorizationNeeded) as caught:
        await access.renew(credential)
    assert caught.value.cause is cause


async def test_connection_without_a_credential_is_anonymous(source: Source) -> None:
    access = source.access()

    assert await access.credential() == Anonymous()
    with pytest.raises(ReauthorizationNeeded) as caught:
        await access.renew(Anonymous())
    assert caught.value.cause is Cause.MISSING


async def test_key_of_an_installation_is_not_kept_beside_it(source: Source) -> None:
    app = App(app_id="7", private_key=SecretStr("PEM-canary"))
    given = Installation(app_id="7", installation_id=42, private_key=app.private_key)

    access = await source.keep("installation", given)

    assert b"canary" not in write_down(given)
    assert await replace(access, app=app).credential() == given
    with pytest.raises(SourceRefused, match="key of the GitHub App"):
        await access.credential()


async def test_code_is_good_once_and_only_with_its_verifier_and_redirect(source: Source) -> None:
    with pytest.raises(GrantOver):
        await source.client.exchange(
            await source.code(), verifier="another" * 7, redirect_uri=REDIRECT
        )
    with pytest.raises(GrantOver):
        await source.client.exchange(
            await source.code(), verifier=VERIFIER, redirect_uri=f"{REDIRECT}/"
        )
    code = await source.code()
    await source.client.exchange(code, verifier=VERIFIER, redirect_uri=REDIRECT)
    with pytest.raises(GrantOver):
        await source.client.exchange(code, verifier=VERIFIER, redirect_uri=REDIRECT)


async def test_revoked_at_the_provider_means_that_nothing_opens_any_more(source: Source) -> None:
    tokens = await source.consent()

    assert await source.client.revoke(tokens.access_token, tokens.refresh_token)
    assert not await source.opens(Grant(access_token=tokens.access_token))


def test_providers_are_told_over_encrypted_addresses_only() -> None:
    for provider in PROVIDERS.values():
        urls = (provider.authorize_url, provider.token_url, provider.revoke_url)
        assert all(url is None or url.startswith("https://") for url in urls)
    assert PROVIDERS["github"].revocation is Revocation.GITHUB


async def test_no_secret_is_shown_by_what_holds_one(source: Source) -> None:
    tokens = await source.consent()
    grant = KeptGrant.of(tokens, now=datetime.now(UTC))
    secrets = [tokens.access_token.get_secret_value(), source.fake.client_secret]
    secrets += [tokens.refresh_token.get_secret_value()] if tokens.refresh_token else []

    shown = f"{tokens!r} {grant!r} {grant.model_dump_json()} {source.client!r}"

    assert len(secrets) == 3
    assert not [secret for secret in secrets if secret in shown]
    assert all(secret in json.dumps(write_down(grant).decode()) for secret in secrets[::2])
