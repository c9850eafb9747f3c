"""A run in plain words."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from api import words
from api.rollout import DeploymentView, FleetView, RampView
from api.schemas import (
    CountsView,
    EtaView,
    HitView,
    ReasonView,
    RunView,
)

RUN = UUID("0198c2de-7c55-7d6e-b6a5-3f0c54c6d0a1")


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


def test_outcomes_name_only_what_has_happened() -> None:
    counts = CountsView(processed=26, unread={"refused": 2, "answer_malformed": 3})

    assert words.outcomes(CountsView(processed=26)) == "26 processed"
    assert words.outcomes(counts) == "26 processed · 5 of them not read by a model"
