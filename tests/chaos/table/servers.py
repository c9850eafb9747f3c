"""What a run depends on is away, slow, full, or forgets."""

from tests.chaos.case import SLOWLY, VERY_SLOWLY, ZOMBIE, Case, Step, then
from tests.chaos.rig import Script


def meanwhile(name: str, *doing: str, healed: str = "after 1", heal: str = "heal") -> Case:
    first, *others = doing
    steps = [then("processed 8", first), *(then("after 0.1", each) for each in others)]
    return Case(name=name, script=SLOWLY, steps=(*steps, then(healed, f"redis {heal}")))


REDIS: tuple[Case, ...] = (
    Case(
        name="Redis is away from the start",
        before=(Step("kill redis"),),
        steps=(then("processed 20", "start redis"),),
        script=SLOWLY,
    ),
    Case(
        name="Redis is away all the time",
        before=(Step("kill redis"),),
        steps=(then("over", "start redis"),),
    ),
    Case(
        name="Redis is killed and comes back with what it kept",
        script=SLOWLY,
        steps=(then("processed 8", "kill redis"), then("after 1", "start redis")),
    ),
    Case(
        name="Redis is wiped: killed, with all it kept",
        script=SLOWLY,
        steps=(then("processed 8", "wipe redis"),),
    ),
    Case(
        name="Redis is flushed",
        script=SLOWLY,
        steps=(then("processed 8", "flush redis"),),
    ),
    Case(
        name="Redis is flushed three times",
        script=VERY_SLOWLY,
        steps=tuple(then(f"processed {number}", "flush redis") for number in (2, 14, 26)),
    ),
    Case(
        name="Redis is flushed and the worker is killed",
        script=SLOWLY,
        steps=(then("processed 8", "flush redis"), then("", "kill a")),
    ),
    Case(
        name="Redis evicts the run's state",
        script=SLOWLY,
        steps=(then("processed 8", "evict state"),),
    ),
    Case(
        name="Redis evicts the run's events",
        script=SLOWLY,
        steps=(then("processed 8", "evict events"),),
    ),
    Case(
        name="Redis trims the stream past the readers",
        script=SLOWLY,
        steps=(then("processed 8", "trim redis"), then("processed 16", "trim redis")),
    ),
    Case(
        name="Redis is full",
        script=SLOWLY,
        steps=(then("processed 8", "fill redis"), then("processed 24", "room redis")),
    ),
    Case(
        name="Redis takes no writes, as a replica",
        script=SLOWLY,
        steps=(then("processed 8", "replica redis"), then("processed 24", "primary redis")),
    ),
    Case(
        name="Redis hangs",
        script=SLOWLY,
        steps=(then("processed 8", "stop redis"), then("after 2", "continue redis")),
    ),
    Case(
        name="Redis is a replica for a while, after a fail-over",
        script=SLOWLY,
        steps=(then("processed 8", "demote redis"), then("processed 24", "promote redis")),
    ),
    Case(
        name="Redis is full, and the worker is killed",
        script=SLOWLY,
        steps=(
            then("processed 8", "fill redis"),
            then("processed 16", "kill a"),
            then("processed 24", "room redis"),
        ),
    ),
    Case(
        name="Redis is flushed and the api is killed",
        script=SLOWLY,
        steps=(then("processed 8", "flush redis"), then("", "kill api")),
    ),
    Case(
        name="Redis is flushed while all wait for the source",
        script=Script(waiting=1, waiting_seconds=2.0),
        steps=(then("status waiting", "flush redis"),),
    ),
    meanwhile("Redis answers slowly", "redis slow 0.3", healed="after 3"),
    meanwhile("Redis answers two seconds late", "redis slow 2", healed="processed 40"),
    meanwhile("Redis is a black hole", "redis blackhole", healed="after 7"),
    meanwhile("Redis refuses connections", "redis refuse"),
    meanwhile("Redis cuts connections again and again", *["redis reset"] * 8),
    meanwhile("Redis cuts answers short", "redis cut 2000", "redis reset", healed="after 2"),
)


def broken(name: str, *doing: str, healed: str = "after 2", pace: float = 0.02) -> Case:
    first, *others = doing
    return Case(
        name=name,
        database="postgresql",
        script=Script(pace_seconds=pace),
        steps=(
            then("processed 8", first),
            *(then("after 0.15", each) for each in others),
            then(healed, "database heal"),
        ),
    )


DATABASE: tuple[Case, ...] = (
    broken("PostgreSQL cuts all connections", "database reset"),
    broken("PostgreSQL cuts connections again and again", *["database reset"] * 8),
    broken("PostgreSQL refuses connections", "database refuse"),
    broken("PostgreSQL is away for longer than a lease", "database refuse", healed="after 5"),
    broken("PostgreSQL is away for half a minute", "database refuse", healed="after 30"),
    broken("PostgreSQL is a black hole", "database blackhole", healed="after 4"),
    broken("PostgreSQL answers slowly", "database slow 0.03", healed="after 3"),
    broken(
        "PostgreSQL is cut off in the middle of answers: who knows what is committed",
        *("database cut 3000", "database reset", "database reset", "database reset"),
    ),
    *(
        Case(
            name=f"killed {where}, on PostgreSQL",
            crash=crash,
            database="postgresql",
            script=SLOWLY,
        )
        for where, crash in {
            "in the transaction of a page": "page.writing:2",
            "in the transaction of a batch": "batch.writing:2",
            "after a commit, before anybody is told": "journal.committed:6",
            "after the last commit": "end.committed:1",
        }.items()
    ),
    Case(
        name="frozen in a transaction that holds the run's row, on PostgreSQL",
        crash="journal.writing:6:stop",
        database="postgresql",
        script=SLOWLY,
        steps=ZOMBIE,
    ),
    Case(
        name="the disk is full, and then there is room",
        small_disk=True,
        size=120,
        script=SLOWLY,
        steps=(
            then("processed 8", "fill disk"),
            then("waits disk", "seen"),
            then("after 1", "room disk"),
        ),
    ),
    Case(
        name="the disk is full, and the worker is killed",
        small_disk=True,
        size=120,
        script=SLOWLY,
        steps=(
            then("processed 8", "fill disk"),
            then("waits disk", "kill a"),
            then("after 2", "room disk"),
        ),
    ),
    Case(
        name="the disk is full, and Redis is flushed",
        small_disk=True,
        size=120,
        script=SLOWLY,
        steps=(
            then("processed 8", "fill disk"),
            then("waits disk", "flush redis"),
            then("after 2", "seen"),
            then("", "room disk"),
        ),
    ),
    Case(
        name="SQLite is locked by somebody else",
        script=SLOWLY,
        steps=(then("processed 8", "lock database"), then("after 4", "unlock database")),
    ),
    Case(
        name="SQLite is locked for longer than anybody waits",
        script=SLOWLY,
        steps=(then("processed 8", "lock database"), then("after 20", "unlock database")),
    ),
)
