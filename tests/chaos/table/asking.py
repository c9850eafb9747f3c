"""What people and programs ask of a run, and of a worker: to stop, to pause, to go on."""

from storage.events import RunStatus
from tests.chaos.auditor import Expected
from tests.chaos.case import HANDED_OVER, SLOWLY, VERY_SLOWLY, Case, then
from tests.chaos.rig import Script

rolling = tuple(then(f"processed {number}", "term a") for number in (4, 12, 20, 28))
deployed = tuple(then("after 20", f"term {name}") for name in ("a", "b") * 3)


DRAINED: tuple[Case, ...] = (
    Case(name="told to stop: hands over and exits", script=SLOWLY, steps=HANDED_OVER),
    Case(name="told to stop, one worker after the other", script=SLOWLY, steps=rolling),
    Case(
        name="told to stop, all workers in turn every 20 s, through 5,000 artifacts",
        workers=("a", "b"),
        size=5_000,
        steps=deployed,
        calm_seconds=5.0,
    ),
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
)

CLIENTS: tuple[Case, ...] = (
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
)

cancelled = Expected(status=RunStatus.CANCELLED)
again = then("status paused", "wish resume")


WISHES: tuple[Case, ...] = (
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
        script=VERY_SLOWLY,
        size=60,
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
)
