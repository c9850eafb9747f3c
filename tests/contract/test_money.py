"""What was used adds up, by whom and when, on both databases."""

from storage import tenants
from storage.database import Database
from storage.ids import LOCAL_TENANT, RunId, TenantId, new_id
from storage.money import Budget, Spent, Used, usage

RUN, OTHER = RunId(new_id()), RunId(new_id())
READ = Used(
    component="read",
    model="m",
    calls=1,
    input_tokens=10,
    cached_tokens=4,
    output_tokens=3,
    cost_nanos=5_000_000_000_000,
    unpriced=1,
)


async def test_what_is_used_twice_is_added_up(database: Database) -> None:
    async with database.transaction() as tx:
        await tenants.ensure_local(tx)
        await usage.add(tx, LOCAL_TENANT, RUN, [READ])
        await usage.add(tx, LOCAL_TENANT, RUN, [READ])
        [row] = await usage.of_run(tx, LOCAL_TENANT, RUN)

    assert (row.calls, row.input_tokens, row.cached_tokens) == (2, 20, 8)
    assert (row.output_tokens, row.unpriced) == (6, 2)
    assert row.cost_nanos == 10_000_000_000_000


async def test_a_month_is_the_tenants_and_a_run_is_its_own(database: Database) -> None:
    stranger = TenantId(new_id())
    async with database.transaction() as tx:
        await tenants.ensure_local(tx)
        await tenants.ensure(tx, stranger, name="stranger")
        await usage.add(tx, LOCAL_TENANT, RUN, [READ])
        await usage.add(tx, LOCAL_TENANT, OTHER, [READ])
        await usage.add(tx, stranger, RUN, [READ])
        mine = await usage.spent(tx, LOCAL_TENANT, RUN)

    assert mine == Spent(month=2 * READ.cost_nanos, run=READ.cost_nanos)


async def test_a_limit_is_the_last_that_was_set_and_can_be_taken_off(database: Database) -> None:
    async with database.transaction() as tx:
        await tenants.ensure_local(tx)
        before = await usage.budget(tx, LOCAL_TENANT, RUN)
        for key, limit in ((usage.OF_MONTH, 9), (usage.OF_RUN, 1), (usage.OF_RUN, 2)):
            await usage.limit(tx, LOCAL_TENANT, key, limit)
        general = await usage.budget(tx, LOCAL_TENANT, RUN)
        await usage.limit(tx, LOCAL_TENANT, str(RUN), 7)
        own = await usage.budget(tx, LOCAL_TENANT, RUN)
        await usage.limit(tx, LOCAL_TENANT, usage.OF_MONTH, None)
        without = await usage.budget(tx, LOCAL_TENANT, OTHER)

    assert before == Budget()
    assert general == Budget(month=9, run=2)
    assert own == Budget(month=9, run=7)
    assert without == Budget(run=2)
