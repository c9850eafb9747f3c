"""The table of faults: what is done to a run, and how it must end all the same.

Unless a case says otherwise, the run must end as if nothing had been: ``succeeded``, and the index
is the source.
"""

from collections.abc import Mapping

from storage.events import RunStatus
from tests.chaos.auditor import Expected
from tests.chaos.case import Case, Step, then
from tests.chaos.rig import Script

SLOWLY = Script(pace_seconds=0.04)
VERY_SLOWLY = Script(pace_seconds=0.1)
"""So that there is a middle of the run to break into."""

FAST = frozenset(
    {
        "killed with a page fetched and not committed",
        "killed in the transaction of a batch",
        "killed after the last commit, before anybody was told",
        "frozen with a batch made, and thawed when all is over",
        "told to stop: hands over and exits",
        "Redis is flushed",
        "Redis is wiped: killed, with all it kept",
        "Redis is away from the start",
        "the api is killed, again and again",
        "everything is killed at once, as when the machine loses power",
        "the source waits",
        "PostgreSQL cuts all connections",
    }
)

# Where a process dies, in the order of a run's life: the place, how often it is passed before that.
KILLED: Mapping[str, tuple[str, int]] = {
    "in the transaction that claims the run": ("dispatch.claiming", 1),
    "with the run claimed and not placed": ("dispatch.claimed", 1),
    "with the run placed and not begun": ("dispatch.placed", 1),
    "with the run adopted and not begun": ("attempt.adopted", 1),
    "with the run begun and nothing read": ("attempt.begun", 1),
    "while it renews its lease": ("lease.renewing", 2),
    "with a page fetched and not committed": ("page.fetched", 1),
    "with a later page fetched and not committed": ("page.fetched", 3),
    "in the transaction of a page": ("page.writing", 2),
    "with a page committed and its cursor with it": ("page.committed", 2),
    "with all pages read": ("crawl.finished", 1),
    "with a batch taken": ("batch.begun", 2),
    "with the first batch made and not committed": ("batch.made", 1),
    "with a batch made and not committed": ("batch.made", 3),
    "in the transaction of a batch": ("batch.writing", 2),
    "in the transaction of a batch, at its end": ("batch.written", 2),
    "with the first batch committed and not told": ("batch.committed", 1),
    "with a batch committed and not told": ("batch.committed", 3),
    "in a transaction with everything written": ("journal.writing", 5),
    "after a commit, before anybody is told": ("journal.committed", 6),
    "before a milestone gets into the stream": ("relay.read", 2),
    "after a milestone got into the stream": ("relay.appended", 3),
    "in the transaction of the end": ("end.writing", 1),
}
DELETING: Mapping[str, tuple[str, int]] = {
    "with what is gone listed and not deleted": ("tidy.listed", 1),
    "in the transaction that deletes": ("tidy.writing", 1),
    "with what is gone deleted": ("tidy.committed", 1),
}
FROZEN: Mapping[str, tuple[str, int]] = {
    "with the run claimed": ("dispatch.claimed", 1),
    "with the run adopted": ("attempt.adopted", 1),
    "with a page fetched": ("page.fetched", 2),
    "with a page committed": ("page.committed", 2),
    "with a batch taken": ("batch.begun", 2),
    "with a batch made": ("batch.made", 2),
    "with a batch committed": ("batch.committed", 2),
    "with a milestone on its way": ("relay.read", 3),
}
ZOMBIE = (
    then("dead a", "start b"),
    then("over", "note"),
    then("after 0.2", "continue a"),
    then("said a dispatch.ended", "same"),
)
"""Another takes over and ends the run; then the first one wakes up, and must not write a thing."""

HANDED_OVER = (
    then("processed 8", "leave"),
    then("", "term a"),
    then("", "exited a 0"),
    then("", "start b"),
    then("", "mind"),
)


def cases() -> list[Case]:
    return [_tiered(case) for part in PARTS for case in part()]


def _killed() -> list[Case]:
    return [
        *(
            Case(name=f"killed {where}", crash=f"{point}:{times}", script=SLOWLY)
            for where, (point, times) in KILLED.items()
        ),
        *(
            Case(name=f"killed {where}", crash=f"{point}:{times}", second=True)
            for where, (point, times) in DELETING.items()
        ),
        Case(name="killed after the last commit, before anybody was told", crash="end.committed:1"),
        Case(
            name="killed with the hand-over told and the run not released",
            crash="handover.told:1",
            script=SLOWLY,
            steps=(then("processed 8", "term a"),),
        ),
        Case(
            name="killed with the run handed over",
            crash="handover.released:1",
            script=SLOWLY,
            steps=(then("processed 8", "term a"),),
        ),
        *_killed_mending(),
    ]


def _killed_mending() -> list[Case]:
    """The stream is lost while nobody but the worker can begin it again, and it dies at that."""
    alone = (
        then("processed 8", "leave"),
        then("", "kill api"),
        then("", "flush redis"),
        then("dead a", "mind"),
    )
    return [
        Case(
            name="killed with the place known where the stream begins again",
            crash="relay.leapt:1",
            script=VERY_SLOWLY,
            steps=alone,
        ),
        Case(
            name="killed with the stream begun again",
            crash="relay.seeded:1",
            script=VERY_SLOWLY,
            steps=alone,
        ),
    ]


def _killed_often() -> list[Case]:
    every_few = tuple(then(f"processed {number}", "kill a") for number in (2, 10, 18, 26, 34))
    return [
        Case(name="killed five times", steps=every_few, script=SLOWLY, size=48),
        Case(
            name="killed as soon as something can be searched",
            script=SLOWLY,
            steps=(then("processed 1", "kill a"),),
        ),
        Case(
            name="killed, one of two workers",
            workers=("a", "b"),
            script=SLOWLY,
            steps=(then("processed 8", "leave"), then("", "kill a"), then("over", "mind")),
        ),
        Case(
            name="killed in a git repository",
            git=True,
            crash="batch.writing:2",
        ),
        Case(
            name="killed in the second run, with a page fetched",
            crash="page.fetched:2",
            second=True,
        ),
        Case(
            name="killed in the second run, with a batch made",
            crash="batch.made:1",
            second=True,
        ),
        Case(
            name="everything is killed at once, as when the machine loses power",
            script=SLOWLY,
            steps=(
                then("processed 8", "kill a"),
                then("", "kill api"),
                then("", "kill redis"),
                then("after 0.5", "start redis"),
            ),
        ),
    ]


def _frozen() -> list[Case]:
    return [
        *(
            Case(
                name=f"frozen {where}, and thawed when all is over",
                crash=f"{point}:{times}:stop",
                script=SLOWLY,
                steps=ZOMBIE,
                # Whoever is frozen in a transaction holds SQLite's one lock, and all wait for him.
                database="postgresql",
            )
            for where, (point, times) in FROZEN.items()
        ),
        Case(
            name="frozen with a batch made, and thawed beside the one that goes on",
            crash="batch.made:2:stop",
            script=Script(pace_seconds=0.05),
            steps=(then("dead a", "start b"), then("attempt 2", "continue a")),
        ),
        Case(
            name="frozen with what is gone listed, and thawed when all is over",
            crash="tidy.listed:1:stop",
            second=True,
            steps=ZOMBIE,
        ),
        Case(
            name="frozen in a transaction, and thawed after a while",
            crash="batch.writing:2:stop",
            steps=(then("dead a", "start b"), then("after 3", "continue a")),
        ),
        Case(
            name="frozen for less than its lease",
            script=SLOWLY,
            steps=(then("processed 8", "stop a"), then("after 0.8", "continue a")),
        ),
        Case(
            name="frozen after the last commit",
            crash="end.committed:1:stop",
            steps=(then("over", "note"), then("after 0.2", "continue a"), then("", "same")),
        ),
    ]


def _drained() -> list[Case]:
    rolling = tuple(then(f"processed {number}", "term a") for number in (4, 12, 20, 28))
    return [
        Case(name="told to stop: hands over and exits", script=SLOWLY, steps=HANDED_OVER),
        Case(name="told to stop, one worker after the other", script=SLOWLY, steps=rolling),
        Case(
            name="told to stop twice: exits at once",
            script=SLOWLY,
            steps=(then("processed 8", "term a"), then("", "term a")),
        ),
        Case(
            name="told to stop with another worker there",
            workers=("a", "b"),
            script=SLOWLY,
            steps=(then("processed 8", "term a"), then("processed 16", "term b")),
        ),
        Case(
            name="told to stop while Redis is away",
            script=SLOWLY,
            steps=(then("processed 8", "kill redis"), *HANDED_OVER, then("over", "start redis")),
        ),
    ]


def _redis() -> list[Case]:
    def meanwhile(name: str, *doing: str, healed: str = "after 1", heal: str = "heal") -> Case:
        first, *others = doing
        steps = [then("processed 8", first), *(then("after 0.1", each) for each in others)]
        return Case(name=name, script=SLOWLY, steps=(*steps, then(healed, f"redis {heal}")))

    return [
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
        meanwhile("Redis answers slowly", "redis slow 0.3", healed="after 3"),
        meanwhile("Redis is a black hole", "redis blackhole", healed="after 7"),
        meanwhile("Redis refuses connections", "redis refuse"),
        meanwhile("Redis cuts connections again and again", *["redis reset"] * 8),
        meanwhile("Redis cuts answers short", "redis cut 2000", "redis reset", healed="after 2"),
    ]


def _database() -> list[Case]:
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

    return [
        broken("PostgreSQL cuts all connections", "database reset"),
        broken("PostgreSQL cuts connections again and again", *["database reset"] * 8),
        broken("PostgreSQL refuses connections", "database refuse"),
        broken("PostgreSQL is away for longer than a lease", "database refuse", healed="after 5"),
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
            name="SQLite is locked by somebody else",
            script=SLOWLY,
            steps=(then("processed 8", "lock database"), then("after 4", "unlock database")),
        ),
        Case(
            name="SQLite is locked for longer than anybody waits",
            script=SLOWLY,
            steps=(then("processed 8", "lock database"), then("after 20", "unlock database")),
        ),
    ]


def _source() -> list[Case]:
    return [
        Case(name="the source is out, twice", script=Script(unavailable=2, pace_seconds=0.005)),
        Case(name="the source is out while fetching", script=Script(fetches_unavailable=2)),
        Case(name="the source waits", script=Script(waiting=1, waiting_seconds=1.0)),
        Case(
            name="the source waits for longer than a lease",
            script=Script(waiting=1, waiting_seconds=3.0),
        ),
        Case(
            name="killed while the source waits",
            script=Script(waiting=1, waiting_seconds=2.0),
            steps=(then("status waiting", "kill a"),),
        ),
        Case(
            name="killed, and the source forgot the cursor",
            script=Script(expired=1, pace_seconds=0.02),
            steps=(then("found 20", "kill a"),),
        ),
        Case(name="the source says everything twice", script=Script(twice=True)),
        Case(
            name="the source blocks the loop for less than a lease",
            script=Script(blocked=1, blocked_seconds=1.0),
        ),
        Case(
            name="the source blocks the loop for longer than a lease",
            script=Script(blocked=1, blocked_seconds=4.0),
            workers=("a", "b"),
        ),
        Case(
            name="some artifacts are refused",
            script=Script(refused="docs/"),
            expected=Expected(status=RunStatus.SUCCEEDED_WITH_FAILURES, failed=("docs/",)),
        ),
        Case(
            name="killed while some artifacts are refused",
            script=Script(refused="docs/", pace_seconds=0.02),
            crash="page.committed:3",
            expected=Expected(status=RunStatus.SUCCEEDED_WITH_FAILURES, failed=("docs/",)),
        ),
        Case(
            name="a page of the listing is torn",
            script=Script(torn=1),
            expected=Expected(status=RunStatus.SUCCEEDED_WITH_FAILURES),
        ),
        Case(
            name="the census has a hole: nothing is deleted",
            second=True,
            script=Script(),
            before=(Step('tell {"holes": 1}'),),
            expected=Expected(keeps_gone=True),
        ),
        Case(
            name="most of the source is gone: nobody believes it",
            second=True,
            size=60,
            before=(Step("lose 0.6"),),
            expected=Expected(keeps_gone=True),
        ),
        Case(
            name="a document kills whoever reads it",
            before=(Step("poison source"),),
            expected=Expected(
                status=RunStatus.SUCCEEDED_WITH_FAILURES, failed=("notes/poison.md",)
            ),
        ),
        Case(
            name="the source changes while it is read",
            script=SLOWLY,
            steps=(then("processed 8", "change source"),),
            again=True,
        ),
        Case(
            name="killed, and the source changed meanwhile",
            script=SLOWLY,
            steps=(then("processed 8", "kill a"), then("", "change source")),
            again=True,
        ),
    ]


def _clients() -> list[Case]:
    return [
        Case(
            name="the api is killed",
            script=SLOWLY,
            steps=(then("processed 8", "kill api"),),
        ),
        Case(
            name="the api is killed, again and again",
            script=SLOWLY,
            steps=tuple(then(f"processed {number}", "kill api") for number in (2, 10, 18, 26, 34)),
        ),
        Case(
            name="the api hangs",
            script=SLOWLY,
            steps=(then("processed 8", "stop api"), then("after 2", "continue api")),
        ),
        Case(
            name="somebody asks for a run that is under way",
            script=SLOWLY,
            steps=(then("processed 4", "ask"), then("processed 8", "kill a"), then("", "ask")),
        ),
        Case(
            name="nobody is there to work, and then somebody is",
            workers=(),
            steps=(then("after 3", "start a"),),
        ),
        Case(
            name="the api is killed while Redis is away",
            script=SLOWLY,
            steps=(
                then("processed 8", "kill redis"),
                then("after 0.3", "kill api"),
                then("processed 24", "start redis"),
            ),
        ),
        Case(
            name="the last of it is told while Redis is away, and the worker stops",
            script=SLOWLY,
            steps=(
                then("processed 30", "kill redis"),
                then("over", "leave"),
                then("", "kill a"),
                then("after 0.5", "start redis"),
            ),
        ),
    ]


def _wishes() -> list[Case]:
    cancelled = Expected(status=RunStatus.CANCELLED)
    again = then("status paused", "wish resume")
    return [
        Case(
            name="cancelled",
            script=SLOWLY,
            steps=(then("processed 8", "wish cancel"),),
            expected=cancelled,
        ),
        Case(
            name="cancelled, and the worker is killed before it hears of it",
            script=SLOWLY,
            steps=(then("processed 8", "kill a"), then("", "wish cancel")),
            expected=cancelled,
        ),
        Case(
            name="cancelled while the worker is frozen",
            script=SLOWLY,
            database="postgresql",
            steps=(
                then("processed 8", "stop a"),
                then("", "wish cancel"),
                then("", "start b"),
                then("over", "note"),
                then("after 0.2", "continue a"),
                then("said a dispatch.ended", "same"),
            ),
            expected=cancelled,
        ),
        Case(
            name="cancelled while Redis is away",
            script=SLOWLY,
            steps=(
                then("processed 8", "kill redis"),
                then("", "wish cancel"),
                then("over", "start redis"),
            ),
            expected=cancelled,
        ),
        Case(
            name="cancelled with nobody there to work",
            workers=(),
            steps=(then("", "wish cancel"), then("over", "start a")),
            expected=cancelled,
        ),
        Case(
            name="paused, and resumed",
            script=SLOWLY,
            steps=(then("processed 8", "wish pause"), again),
        ),
        Case(
            name="paused, and the worker is killed before it hears of it",
            script=SLOWLY,
            steps=(then("processed 8", "kill a"), then("", "wish pause"), again),
        ),
        Case(
            name="paused and resumed three times, and killed in between",
            script=SLOWLY,
            size=48,
            steps=(
                *(then("processed 4", "wish pause"), again, then("processed 12", "kill a")),
                *(then("processed 16", "wish pause"), again, then("processed 24", "kill a")),
                *(then("processed 28", "wish pause"), again),
            ),
        ),
        Case(
            name="paused and resumed at once, twice",
            script=SLOWLY,
            steps=tuple(then("", f"wish {wish}") for wish in ("pause", "resume") * 2),
        ),
        Case(
            name="cancelled while the source waits",
            script=Script(waiting=1, waiting_seconds=2.0),
            steps=(then("status waiting", "wish cancel"),),
            expected=cancelled,
        ),
    ]


PARTS = (_killed, _killed_often, _frozen, _drained, _redis, _database, _source, _clients, _wishes)


def _tiered(case: Case) -> Case:
    return case.in_tier(fast=case.name in FAST)
