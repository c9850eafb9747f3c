"""The source fails, waits, changes, or holds what kills its reader."""

from storage.events import RunStatus
from tests.chaos.auditor import Expected
from tests.chaos.case import SLOWLY, Case, Step, then
from tests.chaos.rig import Script

SOURCES: tuple[Case, ...] = (
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
        expected=Expected(status=RunStatus.SUCCEEDED_WITH_FAILURES, failed=("notes/poison.md",)),
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
)
