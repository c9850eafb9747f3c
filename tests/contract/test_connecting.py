"""Sessions of the connect page and their consents, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from storage import connecting
from storage.clock import now
from storage.connecting import Consent, Session, SessionId, Step
from storage.database import Database
from storage.ids import TenantId, new_id
from storage.sealed import Keyring, new_key
from storage.tables import connect_sessions, consents

KEYRING = Keyring.parse(new_key())
BROWSER, OTHER = "browser of ada", "browser of mallory"
REDIRECT = "http://127.0.0.1:8420/v1/oauth/github/callback"


@pytest.fixture
async def session(database: Database, tenant: TenantId) -> Session:
    """One that ada's browser has opened."""
    async with database.transaction() as tx:
        made, secret = await connecting.begin(tx, tenant, owner="ada", kind="github")
        entered = await connecting.enter(tx, made.id, secret, browser=BROWSER)
    assert entered is not None
    return entered


async def ask(database: Database, session: Session, browser: str = BROWSER) -> tuple[str, str]:
    async with database.transaction() as tx:
        return await connecting.ask(
            tx,
            KEYRING,
            session,
            browser=browser,
            kind="github",
            provider="github",
            redirect_uri=REDIRECT,
        )


async def redeem(
    database: Database, state: str, *, browser: str = BROWSER, provider: str = "github"
) -> Consent | None:
    async with database.transaction() as tx:
        return await connecting.redeem(tx, KEYRING, state, browser=browser, provider=provider)


async def test_session_belongs_to_the_first_browser_that_opens_its_link(
    database: Database, tenant: TenantId
) -> None:
    async with database.transaction() as tx:
        made, secret = await connecting.begin(tx, tenant, owner="ada")

        assert made.step is Step.CHOOSING
        assert await connecting.enter(tx, made.id, "guess", browser=OTHER) is None
        assert await connecting.enter(tx, made.id, secret, browser=BROWSER) is not None
        assert await connecting.enter(tx, made.id, secret, browser=BROWSER) is not None
        assert await connecting.enter(tx, made.id, secret, browser=OTHER) is None
        assert await connecting.get(tx, made.id, browser=OTHER) is None


async def test_session_ends_by_itself(database: Database, session: Session) -> None:
    async with database.transaction() as tx:
        await tx.execute(update(connect_sessions).values(expires_at=now()))
        assert await connecting.get(tx, session.id, browser=BROWSER) is None


async def test_program_of_another_tenant_sees_no_session(
    database: Database, session: Session, tenant: TenantId, other_tenant: TenantId
) -> None:
    async with database.reading() as tx:
        assert await connecting.show(tx, tenant, session.id) == session
        assert await connecting.show(tx, other_tenant, session.id) is None
        assert await connecting.show(tx, tenant, SessionId(new_id())) is None


async def test_consent_comes_back_with_what_it_began_with(
    database: Database, session: Session
) -> None:
    state, verifier = await ask(database, session)

    consent = await redeem(database, state)

    assert consent is not None
    assert (consent.session, consent.verifier) == (session, verifier)
    assert consent.redirect_uri == REDIRECT
    assert verifier not in repr(consent)


async def test_state_is_good_once(database: Database, session: Session) -> None:
    state, _ = await ask(database, session)

    assert await redeem(database, state) is not None
    assert await redeem(database, state) is None


async def test_state_is_not_used_up_by_who_may_not_use_it(
    database: Database, session: Session
) -> None:
    state, _ = await ask(database, session)

    assert await redeem(database, state, browser=OTHER) is None
    assert await redeem(database, state, provider="google") is None
    assert await redeem(database, "guess") is None
    assert await redeem(database, state) is not None


async def test_state_dies_after_ten_minutes(database: Database, session: Session) -> None:
    state, _ = await ask(database, session)
    async with database.transaction() as tx:
        row = (await tx.execute(select(consents))).one()
        await tx.execute(update(consents).values(expires_at=now() - timedelta(seconds=1)))

    assert row.expires_at - row.created_at == timedelta(minutes=10)
    assert await redeem(database, state) is None


async def test_two_tabs_each_have_a_way_of_their_own(database: Database, session: Session) -> None:
    first, _ = await ask(database, session)
    second, _ = await ask(database, session)

    assert first != second
    assert await redeem(database, second) is not None
    assert await redeem(database, first) is not None


async def test_way_that_was_not_finished_is_seen_and_can_be_dropped(
    database: Database, session: Session
) -> None:
    state, _ = await ask(database, session)
    async with database.transaction() as tx:
        assert await connecting.pending(tx, session)
        await connecting.drop(tx, session)
        assert not await connecting.pending(tx, session)

    assert await redeem(database, state) is None


async def test_who_finished_the_latest_way_is_told_of_no_earlier_one(
    database: Database, session: Session
) -> None:
    await ask(database, session)
    second, _ = await ask(database, session)
    await redeem(database, second)

    async with database.transaction() as tx:
        assert not await connecting.pending(tx, session)


async def test_database_holds_nothing_that_finishes_a_way(
    database: Database, session: Session
) -> None:
    state, verifier = await ask(database, session)
    async with database.reading() as tx:
        rows = f"{(await tx.execute(select(consents))).all()}"
        rows += f"{(await tx.execute(select(connect_sessions))).all()}"

    assert not [secret for secret in (state, verifier, BROWSER) if secret in rows]
