"""What a listing lacks is gone, unless the listing looks broken."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.certainty import Verdict, judge
from storage.artifacts import ArtifactStatus, Missing
from storage.deletions import Doubt
from storage.ids import ArtifactId

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def absent(
    number: int, *, age: timedelta = 30 * DAY, missing: timedelta | None = None
) -> list[Missing]:
    return [
        Missing(
            id=ArtifactId(each),
            external_id=f"note:{each}",
            status=ArtifactStatus.READY,
            reason=None,
            version="v1",
            digest="d",
            ready_key="k",
            run_id=None,
            created_at=NOW - age,
            missing_since=None if missing is None else NOW - missing,
        )
        for each in range(number)
    ]


def verdict(
    rows: Sequence[Missing],
    named: int,
    settled: timedelta | None = 10 * DAY,
    *,
    witnessed: int = 0,
) -> Verdict:
    settled_at = None if settled is None else NOW - settled
    return judge(rows, named=named, settled_at=settled_at, now=NOW, witnessed=witnessed)


@pytest.mark.parametrize(
    ("lacking", "named", "doubt"),
    [
        (0, 0, None),
        (1, 2, None),
        (1, 1_000, None),
        (20, 100, None),
        (100, 1_000, None),
        (1, 0, Doubt.EVERYTHING),
        (1_000, 0, Doubt.EVERYTHING),
        (2, 2, Doubt.MANY),
        (2, 3, Doubt.MANY),
        (4, 5, Doubt.MANY),
        (15, 15, Doubt.MANY),
        (21, 100, Doubt.MANY),
        (500, 500, Doubt.MANY),
        (120, 1_000, Doubt.MANY),
    ],
)
def test_a_loss_is_believed_or_asked_about_by_its_size(
    lacking: int, named: int, doubt: Doubt | None
) -> None:
    rows = absent(lacking)

    it = verdict(rows, named)

    assert it.doubt == doubt
    assert (len(it.gone), len(it.kept)) == ((0, lacking) if doubt else (lacking, 0))


@pytest.mark.parametrize(("witnessed", "doubt"), [(0, None), (1, None), (2, Doubt.MANY)])
def test_a_listing_that_lacks_what_the_run_itself_has_seen_is_doubted_sooner(
    witnessed: int, doubt: Doubt | None
) -> None:
    assert verdict(absent(1), 4, witnessed=witnessed).doubt == doubt


def test_a_listing_that_lacks_only_what_the_run_itself_has_seen_leaves_nothing_to_ask() -> None:
    assert verdict([], 4, witnessed=5).doubt is None


def test_what_a_listing_of_yesterday_lacks_is_kept_and_what_is_old_goes() -> None:
    young, old = absent(3, age=5 * HOUR), absent(2)

    it = verdict([*young, *old], 100)

    assert (it.gone, it.kept, it.doubt) == (old, young, Doubt.RECENT)


@pytest.mark.parametrize(("missing", "gone"), [(2 * HOUR, 1), (HOUR / 2, 0)])
def test_what_another_listing_an_hour_later_lacks_as_well_is_gone(
    missing: timedelta, gone: int
) -> None:
    assert len(verdict(absent(1, age=5 * HOUR, missing=missing), 100).gone) == gone


@pytest.mark.parametrize("settled", [None, HOUR])
def test_what_came_with_the_first_ingestion_is_no_news(settled: timedelta | None) -> None:
    assert len(verdict(absent(1, age=2 * HOUR), 100, settled).gone) == 1
