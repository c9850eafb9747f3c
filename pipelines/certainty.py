"""Whether what a listing lacks is gone. Pure: no I/O.

Only a complete listing says anything. Then it is believed, unless it looks like what a broken
source says: nothing at all, a half, or the state of yesterday.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.artifacts import Missing
from storage.deletions import Doubt

FEW = 20
SHARE = 0.1
TINY = 4
"""Of so few, one is a large share, and means nothing."""

YOUNG = timedelta(days=2)
CONFIRMED = timedelta(hours=1)
"""So long after one listing, another one that says the same is no echo of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is ``gone``, and what is ``kept`` for the reason in ``doubt``."""

    gone: Sequence[Missing] = ()
    kept: Sequence[Missing] = ()
    doubt: Doubt | None = None


def judge(
    absent: Sequence[Missing],
    *,
    named: int,
    witnessed: int,
    settled_at: datetime | None,
    now: datetime,
) -> Verdict:
    """What becomes of those that a listing of ``named`` artifacts lacks.

    So many more it lacks although this very run has ``witnessed`` them: nobody lets go of those,
    but they speak against the listing. ``settled_at`` is when the connection had been ingested
    once: what came later and lately is what a listing of yesterday lacks, so it takes two
    listings, an hour apart, to believe it gone.
    """
    lacking = len(absent) + witnessed
    total = named + lacking
    if absent and not named:
        return Verdict(kept=absent, doubt=Doubt.EVERYTHING)
    half = total >= TINY and lacking >= total // 2  # of an odd number a half may be the larger one
    if absent and (half or lacking > max(FEW, SHARE * total)):
        return Verdict(kept=absent, doubt=Doubt.MANY)
    kept = [each for each in absent if _may_be_news(each, settled_at, now)]
    gone = [each for each in absent if each not in kept]
    return Verdict(gone=gone, kept=kept, doubt=Doubt.RECENT if kept else None)


def _may_be_news(missing: Missing, settled_at: datetime | None, now: datetime) -> bool:
    if settled_at is None or missing.created_at <= settled_at or now - missing.created_at > YOUNG:
        return False
    return missing.missing_since is None or now - missing.missing_since < CONFIRMED
