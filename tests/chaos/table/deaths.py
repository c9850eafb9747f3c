"""A worker is killed or frozen, at every place where that could matter."""

from collections.abc import Mapping

from tests.chaos.case import SLOWLY, VERY_SLOWLY, ZOMBIE, Case, then
from tests.chaos.rig import Script

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

KILLINGS: tuple[Case, ...] = (
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
)

"""The stream is lost while nobody but the worker can begin it again, and it dies at that."""
alone = (
    then("processed 8", "leave"),
    then("", "kill api"),
    then("", "flush redis"),
    then("dead a", "mind"),
)


MENDING: tuple[Case, ...] = (
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
)

every_few = tuple(then(f"processed {number}", "kill a") for number in (2, 10, 18, 26, 34))


OFTEN: tuple[Case, ...] = (
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
)

FREEZINGS: tuple[Case, ...] = (
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
        database="postgresql",
    ),
    Case(
        name="frozen with what is gone listed, and thawed when all is over",
        crash="tidy.listed:1:stop",
        second=True,
        steps=ZOMBIE,
        database="postgresql",
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
)
