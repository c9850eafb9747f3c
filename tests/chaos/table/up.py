"""The whole product, as ``headwater up`` runs it. A worker there takes seconds to start."""

from tests.chaos.case import Case, Step, then
from tests.chaos.rig import Script


def shipped(name: str, *steps: Step, workers: tuple[str, ...] = ("a",), size: int = 120) -> Case:
    script = Script(pace_seconds=0.05)
    return Case(
        name=f"as shipped: {name}",
        steps=steps,
        workers=workers,
        size=size,
        script=script,
        shipped=True,
    )


SHIPPED: tuple[Case, ...] = (
    shipped("nothing happens"),
    shipped("the worker is killed", then("processed 10", "kill a")),
    shipped("the worker is killed as it begins", then("attempt 1", "kill a")),
    shipped("the worker is told to stop", then("processed 10", "term a")),
    shipped(
        "the worker is frozen for longer than its lease",
        then("processed 10", "stop a"),
        then("after 20", "continue a"),
    ),
    shipped(
        "one of two workers is killed",
        then("after 15", "ask"),
        then("processed 10", "kill a"),
        workers=("a", "b"),
        size=400,
    ),
    shipped("the Prefect server is killed", then("processed 10", "kill prefect")),
    shipped(
        "the Prefect server and the worker are killed",
        then("processed 10", "kill prefect"),
        then("", "kill a"),
    ),
    shipped("the process that cuts and embeds is killed", then("processed 10", "kill workshop")),
    shipped("Redis is killed", then("processed 10", "kill redis")),
    shipped(
        "the api and the worker are killed",
        then("processed 10", "kill api"),
        then("", "kill a"),
    ),
    shipped(
        "everything is killed",
        *(
            then("processed 10" if name == "a" else "", f"kill {name}")
            for name in ("a", "api", "redis", "prefect")
        ),
    ),
)
