"""A run in plain words."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from api import words
from api.rollout import DeploymentView, FleetView, RampView
from api.schemas import (
    CountsView,
    EtaView,
    FailureView,
    HitView,
    IndexView,
    ReaderView,
    ReasonView,
    ReceiptView,
    RunView,
)

RUN = UUID("0198c2de-7c55-7d6e-b6a5-3f0c54c6d0a1")


def receipt(status: str = "succeeded", **changes: object) -> ReceiptView:
    counts = CountsView(
        found=1_210,
        processed=1_171,
        skipped={"generated": 11, "binary": 20},
        failed={"timeout": 8},
        chunks=5_310,
        tokens=1_000_000,
    )
    whole = ReceiptView(
        run_id=RUN,
        title="main",
        status=status,
        seconds=41.26,
        counts=counts,
        adds_up=True,
        index=IndexView(artifacts=1_171, chunks=5_310),
    )
    return whole.model_copy(update=changes)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (20, 40, "about 20-40 s left"),
        (0, 0.2, "about 1 s left"),
        (30, 80, "about 1 min left"),
        (180, 300, "about 3-5 min left"),
        (3_600, 10_800, "about 1-3 h left"),
    ],
)
def test_the_time_left_is_a_range_in_a_unit_one_can_feel(
    low: float, high: float, said: str
) -> None:
    assert words.remaining(EtaView(low_seconds=low, high_seconds=high)) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.44, "0.4 s"),
        (41.26, "41.3 s"),
        (192, "3 min 12 s"),
        (59.96, "1 min 0 s"),
        (7_500, "2 h 5 min"),
    ],
)
def test_a_duration_is_exact_where_it_is_short(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


def test_a_receipt_says_which_model_was_asked_and_what_it_cost() -> None:
    counts = CountsView(
        model_calls=937, input_tokens=1_200_000, output_tokens=75_000, cost_nanos=600_000_000
    )
    reader = ReaderView(producer="read/1", model="gpt-4.1-mini")

    lines = words.receipt(receipt(counts=counts, reader=reader))

    assert lines[-1] == (
        "  gpt-4.1-mini was asked 937 times: 1,200,000 tokens in, 75,000 out, $0.6000."
    )


def test_the_numbers_of_a_receipt_stand_in_one_column() -> None:
    lines = words.receipt(receipt())

    assert lines[0] == "main is ready in 41.3 s."
    assert lines[2:8] == [
        "  found      1,210",
        "  processed  1,171  5,310 chunks, 1,000,000 tokens",
        "  unchanged      0",
        "  skipped       31  20 binary, 11 generated",
        "  failed         8  8 timeout",
        "  deleted        0",
    ]


def test_a_receipt_that_does_not_add_up_says_so() -> None:
    assert "do not add up" not in "\n".join(words.receipt(receipt()))
    assert "do not add up" in "\n".join(words.receipt(receipt(adds_up=False)))


def test_a_receipt_lists_some_failures_and_counts_the_others() -> None:
    failure = FailureView(
        title="a\nb.py", stage="read", failure="timeout", detail="too slow", action="Try again."
    )

    lines = words.receipt(receipt("succeeded_with_failures", failures=[failure] * 7))

    assert lines[0] == "main is ready in 41.3 s, except for 8 that failed."
    assert lines.count(r"    a\nb.py: too slow") == 5
    assert lines[-1] == "    and 3 more"


def test_a_hit_names_file_and_lines_as_editors_understand_it() -> None:
    hit = HitView(
        artifact_id=1,
        connection_id=RUN,
        title="events.py",
        path="storage/events.py",
        symbol="EventLog.append",
        start_line=10,
        end_line=24,
        snippet="\nasync def append(\n\tself\n",
        score=1.0,
    )

    assert words.hit(hit) == [
        "storage/events.py:10-24  EventLog.append",
        "    async def append(",
        "        self",
    ]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (None, "Reading notes.md"),
        ("pause", "Pausing: it stops at the next step."),
        ("cancel", "Cancelling: it stops at the next step."),
        ("restart", "Reading notes.md"),
    ],
)
def test_what_a_person_asked_for_is_told_until_it_is_done(wish: str | None, said: str) -> None:
    run = RunView(
        id=RUN,
        workflow="ingest",
        status="running",
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        activity="Reading notes.md",
        wish=wish,
    )

    assert words.headline(run) == said


def test_the_end_of_a_cancelled_run_says_what_is_kept() -> None:
    assert words.receipt(receipt("cancelled"))[0] == (
        "main: the run was cancelled in 41.3 s. What was indexed is kept."
    )


def test_a_deployment_is_a_line_a_version() -> None:
    shown = DeploymentView(
        active="1.4.0",
        ramp=RampView(version="1.5.0-rc1", percent=10),
        versions=[
            FleetView(version="1.4.0", role="active", workers=12, held=40, queued=3),
            FleetView(version="1.5.0-rc1", role="ramping", workers=1, held=1, queued=0),
        ],
        history=[],
    )

    assert words.deployment(shown) == [
        "1.4.0      active        12 workers  40 runs held  3 queued",
        "1.5.0-rc1  ramping 10 %  1 worker    1 run held    0 queued",
    ]


def test_why_a_run_failed_and_what_to_do_are_two_sentences() -> None:
    run = RunView(
        id=RUN,
        workflow="ingest",
        status="failed",
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        reason=ReasonView(code="source_empty", message="/a is empty", action="Put something there"),
    )

    assert words.headline(run) == "/a is empty. Put something there."
