"""A fault case as data: what is broken, when, and how the run must end all the same."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.chaos.auditor import Expected
from tests.chaos.rig import Script

BATCH = 8
RECOVERY_SECONDS = 30.0
"""Within this, whatever was broken is made good."""

HARMLESS = frozenset(
    {
        "start",
        "heal",
        "thaw",
        "unlock",
        "note",
        "same",
        "continue",
        "wish",
        "ask",
        "room",
        "seen",
        "primary",
        "promote",
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """Do this when that is so: see ``tests.chaos.actions`` for the words."""

    do: str
    when: str = ""

    @property
    def is_fault(self) -> bool:
        return self.do.partition(" ")[0] not in HARMLESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``crash`` arms the first worker; ``second``: the run is one after a change of the source.

    ``again``: the source changes in the run, and only the next one can be held to it.
    """

    name: str
    crash: str = ""
    steps: tuple[Step, ...] = ()
    before: tuple[Step, ...] = ()
    workers: tuple[str, ...] = ("a",)
    script: Script = field(default_factory=Script)
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    expected: Expected = field(default_factory=Expected)
    size: int = 40
    git: bool = False
    second: bool = False
    again: bool = False
    database: str = "sqlite"
    fast: bool = False
    shipped: bool = False
    """On ``headwater up`` as it is, with its Prefect server and its own lease."""

    small_disk: bool = False
    """Its database is on a disk that can be filled."""

    must_crash: bool = True
    calm_seconds: float = 0.0
    """If given, the longest that the reader who is never cut off may be told nothing."""

    @property
    def slug(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")[:60]

    def in_tier(self, *, fast: bool) -> "Case":
        return replace(self, fast=fast)


def then(when: str, do: str) -> Step:
    return Step(do, when)


SLOWLY = Script(pace_seconds=0.04)
VERY_SLOWLY = Script(pace_seconds=0.1)
"""So that there is a middle of the run to break into."""

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
