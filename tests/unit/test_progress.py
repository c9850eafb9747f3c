from collections.abc import Mapping
from typing import Any

from pipelines.progress import Progress, StageKey, StageStatus
from storage.counts import Counts


def stage(progress: Progress, key: StageKey) -> Mapping[str, Any]:
    [found] = [each for each in progress.stages(progress.counts) if each["key"] == key]
    return found


def test_a_total_is_not_final_while_a_partition_has_not_been_counted() -> None:
    progress = Progress(Counts(), partitions=2)
    progress.expect("code", 10, exact=True)

    assert stage(progress, StageKey.FIND)["total"] == 10
    assert not stage(progress, StageKey.FIND)["final"]


def test_a_total_is_final_when_all_partitions_are_counted_exactly() -> None:
    progress = Progress(Counts(), partitions=2)
    progress.expect("code", 10, exact=True)
    progress.expect("issues", 5, exact=True)

    assert stage(progress, StageKey.FIND)["total"] == 15
    assert stage(progress, StageKey.FIND)["final"]


def test_a_source_that_holds_more_than_it_said_does_not_exceed_its_total() -> None:
    progress = Progress(Counts(found=12), partitions=1)
    progress.expect("code", 10, exact=True)

    found = stage(progress, StageKey.FIND)

    assert (found["done"], found["total"], found["final"]) == (12, 12, False)


def test_reading_is_measured_by_what_has_an_outcome() -> None:
    counts = Counts(found=9, processed=3, unchanged=2, skipped={"binary": 1}, failed={"poison": 1})

    assert stage(Progress(counts), StageKey.READ)["done"] == 7


def test_a_resumed_attempt_goes_on_from_what_was_shown() -> None:
    before = Progress(Counts(found=4, processed=2), searchable=2, partitions=1)
    before.expect("code", 10, exact=True)
    before.status[StageKey.FIND] = StageStatus.ACTIVE
    before.fail({"title": "a"})

    after = Progress.resumed(before.patch(now=0.0), before.counts)

    assert stage(after, StageKey.FIND)["total"] == 10
    assert stage(after, StageKey.FIND)["status"] == StageStatus.ACTIVE
    assert (after.searchable, after.failures) == (2, [{"title": "a"}])


def test_no_rate_after_a_first_glance() -> None:
    progress = Progress(Counts(found=100))
    progress.committed(Counts(found=100, processed=50), now=10.0)

    assert progress.patch(now=11.0)["rate"] is None


def test_the_rate_is_that_of_the_last_seconds() -> None:
    progress = Progress(Counts())
    for second in range(60):
        done = second * 10 if second < 30 else 300 + (second - 30) * 2
        progress.committed(Counts(found=1000, processed=done), now=float(second))

    assert 1.5 < progress.patch(now=59.0)["rate"] < 2.5


def test_the_estimate_is_a_range_that_holds_the_truth() -> None:
    progress = Progress(Counts(), partitions=1)
    progress.expect("code", 1000, exact=True)
    for second in range(11):
        progress.committed(Counts(found=1000, processed=second * 10), now=float(second))

    eta = progress.patch(now=10.0)["eta"]

    assert eta["low_seconds"] < 90 < eta["high_seconds"]


def test_no_estimate_from_a_few_items_or_without_a_final_total() -> None:
    few, endless = Progress(Counts(), partitions=1), Progress(Counts(), partitions=1)
    few.expect("code", 1000, exact=True)
    endless.expect("code", 1000, exact=False)
    for second in range(11):
        few.committed(Counts(found=1000, processed=second), now=float(second))
        endless.committed(Counts(found=1000, processed=second * 10), now=float(second))

    assert few.patch(now=10.0)["eta"] is None
    assert endless.patch(now=10.0)["eta"] is None


def test_the_same_failure_told_twice_is_shown_once() -> None:
    progress = Progress(Counts())
    for title in ("a", "b", "b"):
        progress.fail({"title": title})

    assert progress.failures == [{"title": "b"}, {"title": "a"}]
