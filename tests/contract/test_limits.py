"""What a limiter's room promises, in Redis and in memory, on a clock that stands still."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from storage.limits.values import (
    Dimension,
    Ending,
    Limit,
    Outcome,
    Reason,
    Terms,
    TicketId,
    Urgency,
)
from tests.rationing import (
    BURST,
    RATE,
    REQUESTS,
    TERMS,
    TOKENS,
    Hands,
    Process,
    make_hands,
    refused,
    told,
)


@pytest.fixture(params=["memory", "redis"])
def server(request: pytest.FixtureRequest) -> Redis | None:
    return request.getfixturevalue("redis") if request.param == "redis" else None


@pytest.fixture
async def hands(server: Redis | None) -> Hands:
    return await make_hands(server)


@pytest.fixture
async def process(hands: Hands) -> Process:
    """One that is known already, at a bucket that is full."""
    process = Process(hands)
    await process.turn()
    await hands.advance(60)
    await process.turn()
    return process


async def test_a_new_pool_begins_with_an_empty_bucket(hands: Hands) -> None:
    process = Process(hands)

    granted = await process.ask()

    assert granted == []
    assert process.answer
    assert process.answer.wait_seconds == pytest.approx((100 + 0.15 * BURST) / RATE)


async def test_a_full_bucket_grants_its_burst_and_no_more(process: Process) -> None:
    granted = await process.ask(100, urgency=Urgency.INTERACTIVE, times=100)

    assert len(granted) == BURST / 100


async def test_the_last_part_of_the_burst_is_for_interactive_calls(process: Process) -> None:
    scheduled = await process.ask(100, times=100)
    interactive = await process.ask(100, urgency=Urgency.INTERACTIVE, times=100)

    assert len(scheduled) == 0.85 * BURST / 100
    assert len(interactive) == 0.15 * BURST / 100


async def test_grants_come_at_the_rate_of_the_limit(hands: Hands, process: Process) -> None:
    await process.ask(100, times=400)
    granted = 0
    for _ in range(100):
        await hands.advance(0.1)
        granted += len(await process.turn())

    assert granted == pytest.approx(10 * RATE / 100, abs=1)


async def test_a_call_larger_than_the_burst_goes_into_debt(hands: Hands, process: Process) -> None:
    granted = await process.ask(2 * BURST)
    await process.ask(100, urgency=Urgency.INTERACTIVE)

    assert len(granted) == 1
    assert process.answer
    assert process.answer.wait_seconds == pytest.approx((BURST + 100) / RATE)


async def test_every_dimension_must_have_room(hands: Hands) -> None:
    terms = Terms(limits={TOKENS: Limit(amount=60_000), REQUESTS: Limit(amount=100)}, use=0.9)
    process = Process(hands, terms=terms)
    await process.turn()
    await hands.advance(600)

    granted = await process.ask(1, urgency=Urgency.INTERACTIVE, times=50)

    assert len(granted) == 10


async def test_interactive_calls_overtake_those_that_nobody_waits_for(
    hands: Hands, process: Process
) -> None:
    await process.ask(100, times=400)
    await process.ask(100, tenant="user", urgency=Urgency.INTERACTIVE, times=15)
    await hands.advance(0.2)

    granted = await process.ask(100, tenant="user", urgency=Urgency.INTERACTIVE)

    assert granted
    assert all("user" in ticket for ticket in granted)


async def test_classes_share_a_full_pool_by_their_weights(hands: Hands, process: Process) -> None:
    for urgency in Urgency:
        await process.ask(100, tenant=urgency.value, urgency=urgency, times=1000)
    shares = await run(hands, process, seconds=100)

    whole = sum(shares.values())
    assert shares["interactive"] / whole == pytest.approx(16 / 21, abs=0.02)
    assert shares["onboarding"] / whole == pytest.approx(4 / 21, abs=0.02)
    assert shares["scheduled"] / whole == pytest.approx(1 / 21, abs=0.02)


async def test_tenants_share_by_tokens_whatever_they_ask_for(
    hands: Hands, process: Process
) -> None:
    await process.ask(400, tenant="large", times=200)
    await process.ask(50, tenant="small", times=1600)
    shares = await run(hands, process, seconds=40)

    tokens = [400 * shares["large"], 50 * shares["small"]]
    assert jain(tokens) >= 0.98


async def test_a_tenant_that_comes_late_has_nothing_saved_up(
    hands: Hands, process: Process
) -> None:
    await process.ask(100, tenant="early", times=800)
    await run(hands, process, seconds=30)
    await process.ask(100, tenant="late", times=800)
    shares = await run(hands, process, seconds=20)

    assert jain([shares["early"], shares["late"]]) >= 0.98


async def test_a_large_call_is_not_starved_by_small_ones(hands: Hands, process: Process) -> None:
    await process.ask(100, tenant="small", times=800)
    large = process.ticket(2 * BURST, tenant="large")
    granted = await process.turn(enqueue=[large])
    for _ in range(300):
        await hands.advance(0.1)
        granted += await process.turn()

    assert large.id in granted


async def test_asking_twice_is_asking_once(hands: Hands, process: Process) -> None:
    ticket = process.ticket(BURST)

    first = await process.turn(enqueue=[ticket, ticket])
    await hands.advance(4)
    again = await process.turn(enqueue=[ticket])

    assert first == [ticket.id]
    assert again == []


async def test_settling_twice_is_settling_once(process: Process) -> None:
    [ticket] = await process.ask(BURST, urgency=Urgency.INTERACTIVE)
    half = Outcome(ending=Ending.ANSWERED, charged={TOKENS: BURST / 2, REQUESTS: 1})

    await process.settle([ticket], half)
    await process.settle([ticket], half)

    granted = await process.ask(100, urgency=Urgency.INTERACTIVE, times=100)
    assert len(granted) == BURST / 2 / 100


async def test_a_call_that_is_withdrawn_leaves_its_place(hands: Hands, process: Process) -> None:
    await process.ask(BURST)
    first, second = process.ticket(100), process.ticket(100)
    await process.turn(enqueue=[first, second])
    await process.turn(withdraw=[first.id])

    await hands.advance(3)
    assert await process.turn() == [second.id]


async def test_a_call_never_made_costs_nothing(process: Process) -> None:
    [ticket] = await process.ask(BURST, urgency=Urgency.INTERACTIVE)
    nothing = Outcome(ending=Ending.UNUSED, charged={})
    await process.settle([ticket], nothing)

    assert len(await process.ask(BURST, urgency=Urgency.INTERACTIVE)) == 1


async def test_a_grant_goes_to_who_asked_whoever_made_it(hands: Hands, process: Process) -> None:
    other = Process(hands, "other")
    await other.turn()
    await process.ask(BURST)
    await process.ask(100)
    await hands.advance(2.9)

    assert await other.turn() == []
    assert len(await process.fetch()) == 1


async def test_nobody_is_granted_what_a_silent_process_asked_for(
    hands: Hands, process: Process
) -> None:
    await process.ask(BURST)
    await Process(hands, "dead").ask(100)
    other = Process(hands, "other")
    await hands.advance(6)

    granted = await other.ask(100)

    assert len(granted) == 1
    assert other.answer
    assert other.answer.processes == 1


async def test_a_process_that_was_silent_is_told_to_say_all_again(
    hands: Hands, process: Process
) -> None:
    await process.turn()
    assert process.answer
    assert process.answer.known
    await hands.advance(6)

    await process.turn()

    assert not process.answer.known


async def test_the_leases_of_a_dead_process_run_out(hands: Hands) -> None:
    process = Process(hands, terms=Terms(concurrency=2))
    await process.turn()
    await process.ask(times=2)
    other = Process(hands, "other", terms=process.terms)
    await other.turn()

    assert await other.ask() == []

    await hands.advance(16)
    await other.turn()
    assert await other.ask() != []


async def test_a_lease_lasts_while_its_process_says_so(hands: Hands) -> None:
    process = Process(hands, terms=Terms(concurrency=1))
    await process.turn()
    [ticket] = await process.ask()
    for _ in range(10):
        await hands.advance(4)
        await process.turn(beat=[ticket])

    assert await process.ask() == []


async def test_the_owner_hears_of_a_lease_that_ran_out(hands: Hands, process: Process) -> None:
    [ticket] = await process.ask()
    for _ in range(4):
        await hands.advance(4)
        await process.settle([])

    assert await process.fetch(lapsed=True) == [ticket]


async def test_a_refusal_stops_the_pool_for_as_long_as_it_says(
    hands: Hands, process: Process
) -> None:
    [ticket] = await process.ask()
    await process.settle([ticket], refused(7))
    await process.ask()

    assert process.answer
    assert process.answer.pause_seconds == pytest.approx(7)
    assert process.answer.reason is Reason.RATE_LIMITED
    await hands.advance(6.9)
    assert await process.turn() == []
    await hands.advance(0.2)
    assert len(await process.turn()) == 1


async def test_the_providers_own_count_holds_grants_back(hands: Hands, process: Process) -> None:
    [ticket] = await process.ask(100)
    await process.settle([ticket], told(remaining=0))

    assert await process.ask(100) == []
    await hands.advance(0.3 + 100 / RATE + 0.01)
    assert len(await process.turn()) == 1


async def test_an_older_reply_does_not_replace_a_newer_one(hands: Hands, process: Process) -> None:
    first, second = await process.ask(100, times=2)
    await process.settle([second], told(remaining=0))
    await process.settle([first], told(remaining=5_000))

    assert await process.ask(100) == []


@pytest.mark.parametrize("remaining", [-1, 70_000])
async def test_a_count_that_cannot_be_is_ignored(process: Process, remaining: float) -> None:
    [ticket] = await process.ask(100)
    await process.settle([ticket], told(remaining=remaining, limit=60_000))

    assert len(await process.ask(100)) == 1


async def test_a_count_that_never_changes_is_ignored(hands: Hands, process: Process) -> None:
    tickets = await process.ask(100, times=22)
    for ticket in tickets:
        await process.settle([ticket], told(remaining=0))

    assert len(await process.ask(100)) == 1


async def test_a_limit_in_a_header_sets_the_rate(process: Process) -> None:
    [ticket] = await process.ask(100)
    await process.settle([ticket], told(remaining=30_000, limit=30_000))

    assert process.answer
    assert process.answer.rates[TOKENS] == pytest.approx(RATE / 2)


async def test_a_header_caught_lying_is_not_believed(hands: Hands, process: Process) -> None:
    for _ in range(10):
        tickets = await process.ask(100)
        await process.settle(tickets, told(remaining=50_000, limit=600_000))
        await hands.advance(0.5)
        await process.turn()
    [ticket] = await process.ask(100)
    await process.settle([ticket], told(ending=Ending.PACED, remaining=50_000, limit=600_000))

    assert process.answer
    assert process.answer.rates[TOKENS] < RATE


async def test_an_unknown_limit_is_learned_from_what_went_through(hands: Hands) -> None:
    guess = Terms(limits={TOKENS: Limit(amount=120_000, learned=True)}, use=0.9)
    process = Process(hands, terms=guess)
    await process.turn()
    await hands.advance(60)
    await process.ask(100, times=3000)
    provider = Provider(rate=1000, depth=3000)
    for _ in range(600):
        await hands.advance(0.1)
        provider.refill(0.1)
        for ticket in await process.turn():
            await process.settle([ticket], provider.answer(100))

    assert process.answer
    assert process.answer.rates[TOKENS] == pytest.approx(1000, rel=0.06)
    assert provider.refused <= 12


async def test_a_guess_that_is_too_low_grows(hands: Hands) -> None:
    guess = Terms(limits={TOKENS: Limit(amount=30_000, learned=True)}, use=0.9)
    process = Process(hands, terms=guess)
    await process.ask(100, times=3000)
    for _ in range(300):
        await hands.advance(0.1)
        await process.settle(await process.turn())

    assert process.answer
    assert process.answer.rates[TOKENS] > 600


async def test_a_ramp_limit_slows_down_and_grows_by_half_in_a_quarter_of_an_hour(
    hands: Hands, process: Process
) -> None:
    await process.ask(100, times=200)
    for _ in range(100):
        await hands.advance(0.1)
        await process.settle(await process.turn())
    [ticket, *_] = (await process.ask()) or (await later(hands, process))

    await process.settle([ticket], refused(ending=Ending.RAMPING))

    assert process.answer
    slow = process.answer.rates[TOKENS]
    assert 0.5 * RATE < slow < 0.75 * RATE
    await hands.advance(450)
    await process.turn()
    assert process.answer.rates[TOKENS] == pytest.approx(slow * 1.5**0.5)
    await hands.advance(900)
    await process.turn()
    assert process.answer.rates[TOKENS] == RATE


async def test_a_ramp_limit_leaves_the_free_rate_alone(hands: Hands) -> None:
    process = Process(hands, terms=Terms(limits=TERMS.limits, use=0.9, ramp_free=800))
    await process.turn()
    await hands.advance(60)
    [ticket] = await process.ask()

    await process.settle([ticket], refused(ending=Ending.RAMPING))

    assert process.answer
    assert process.answer.rates[TOKENS] == pytest.approx(800)


async def test_three_failures_in_a_row_open_the_breaker(hands: Hands, process: Process) -> None:
    tickets = await process.ask(times=3)

    for ticket in tickets:
        await process.settle([ticket], Outcome(ending=Ending.DOWN))

    assert await process.ask() == []
    assert process.answer
    assert process.answer.reason is Reason.PROVIDER_DOWN


async def test_scattered_failures_stop_nobody(hands: Hands, process: Process) -> None:
    tickets = await process.ask(times=9)

    for at, ticket in enumerate(tickets):
        ending = Ending.ANSWERED if at % 3 == 2 else Ending.DOWN
        await process.settle([ticket], Outcome(ending=ending))

    assert len(await process.ask()) == 1


async def test_one_canary_looks_whether_the_provider_is_back(
    hands: Hands, process: Process
) -> None:
    await process.settle(await process.ask(times=3), Outcome(ending=Ending.DOWN))
    await process.ask(times=5)
    await hands.advance(1.1)

    [canary] = await process.turn()
    await process.settle([canary])

    assert len(await process.fetch()) == 4


async def test_a_canary_that_fails_makes_everybody_wait_again(
    hands: Hands, process: Process
) -> None:
    await process.settle(await process.ask(times=3), Outcome(ending=Ending.DOWN))
    await process.ask(times=5)
    await hands.advance(8)
    [canary] = await process.turn()

    await process.settle([canary], Outcome(ending=Ending.DOWN))

    assert process.answer
    assert process.answer.pause_seconds == pytest.approx(2)
    await hands.advance(2.1)
    assert len(await process.turn()) == 1


async def test_a_canary_that_dies_is_followed_by_another(hands: Hands, process: Process) -> None:
    await process.settle(await process.ask(times=3), Outcome(ending=Ending.DOWN))
    await hands.advance(1.1)
    doomed = Process(hands, "doomed")
    await doomed.ask()
    await process.ask()
    for _ in range(4):
        await hands.advance(4)
        await process.settle([])

    assert len(await process.fetch()) == 1


async def test_a_call_from_before_the_outage_does_not_end_it(
    hands: Hands, process: Process
) -> None:
    [long] = await process.ask()
    await hands.advance(1)
    await process.settle(await process.ask(times=3), Outcome(ending=Ending.DOWN))
    await hands.advance(0.5)

    await process.settle([long])

    await process.ask(times=5)
    await hands.advance(0.7)
    assert len(await process.turn()) == 1


async def test_a_blocked_account_is_looked_at_when_somebody_says_it_is_repaired(
    hands: Hands, process: Process
) -> None:
    [ticket] = await process.ask()
    await process.settle([ticket], Outcome(ending=Ending.BLOCKED))
    await process.ask(times=2)
    assert process.answer
    assert process.answer.reason is Reason.BLOCKED
    assert process.answer.pause_seconds == pytest.approx(600)

    assert len(await process.turn(resume=True)) == 1


async def test_a_local_server_gets_more_calls_at_once_while_it_stays_fast(hands: Hands) -> None:
    process = Process(hands, terms=Terms(concurrency=2, adaptive=True))
    at_once = await respond(hands, process, slower_above=1000)

    assert at_once > 8


async def test_a_local_server_gets_no_more_calls_at_once_when_it_gets_slow(hands: Hands) -> None:
    process = Process(hands, terms=Terms(concurrency=2, adaptive=True))
    at_once = await respond(hands, process, slower_above=6)

    assert 6 < at_once < 24


async def test_a_flushed_server_begins_with_an_empty_bucket(hands: Hands, process: Process) -> None:
    await hands.lose()

    granted = await process.ask(1, urgency=Urgency.INTERACTIVE)

    assert granted == []
    assert process.answer
    assert not process.answer.known


async def test_a_new_configuration_takes_effect_at_once(hands: Hands, process: Process) -> None:
    twice = Terms(limits={TOKENS: Limit(amount=120_000)}, use=0.9)

    await Process(hands, terms=twice).turn()
    await process.turn()

    changed = Process(hands, "changed", terms=twice)
    await changed.turn()
    assert changed.answer
    assert changed.answer.rates == {Dimension.TOKENS: pytest.approx(2 * RATE)}


async def test_a_limit_may_have_a_window_of_its_own(hands: Hands) -> None:
    day = Terms(limits={REQUESTS: Limit(amount=86_400, window=timedelta(days=1))}, use=0.5)
    process = Process(hands, terms=day)

    await process.turn()

    assert process.answer
    assert process.answer.rates == {REQUESTS: pytest.approx(0.5)}


async def run(hands: Hands, process: Process, *, seconds: float) -> Counter[str]:
    """Let time pass and answer every call at once; how many each tenant got."""
    shares = Counter[str]()
    for _ in range(round(seconds / 0.5)):
        await hands.advance(0.5)
        granted = await process.turn()
        shares.update(ticket.split("-")[1] for ticket in granted)
        await process.settle(granted)
        shares.update(ticket.split("-")[1] for ticket in await process.fetch())
    return shares


async def later(hands: Hands, process: Process) -> list[TicketId]:
    await hands.advance(0.5)
    return await process.turn()


async def respond(hands: Hands, process: Process, *, slower_above: int) -> int:
    """A server that answers in 0.1 s, and slower in proportion above a number of calls at once."""
    under_way = await process.ask(cost={REQUESTS: 1}, times=400)
    for _ in range(60):
        seconds = 0.1 * max(1.0, len(under_way) / slower_above)
        await hands.advance(seconds)
        outcome = Outcome(ending=Ending.ANSWERED, seconds=seconds)
        await process.settle(under_way, outcome)
        under_way = await process.fetch()
        under_way += await process.ask(cost={REQUESTS: 1}, times=len(under_way))
    assert process.answer
    return process.answer.in_flight


def jain(shares: Sequence[float]) -> float:
    """1 where all are equal (Jain, Chiu, Hawe 1984)."""
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


class Provider:
    """A bucket of tokens that tells nothing but yes or no."""

    def __init__(self, *, rate: float, depth: float) -> None:
        self.rate = rate
        self.depth = self.level = depth
        self.refused = 0

    def refill(self, seconds: float) -> None:
        self.level = min(self.depth, self.level + self.rate * seconds)

    def answer(self, tokens: float) -> Outcome:
        if self.level < tokens:
            self.refused += 1
            return Outcome(ending=Ending.PACED, retry_after=timedelta(seconds=0.2))
        self.level -= tokens
        return Outcome(ending=Ending.ANSWERED)
