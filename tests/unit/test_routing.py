"""A run's version is its own, spread evenly, and never moves back while a ramp grows."""

from hypothesis import given
from hypothesis import strategies as st

from storage.ids import RunId
from storage.versions import BUCKETS, Deployment, Ramp, bucket, route

RUN_IDS = st.uuids().map(RunId)
PERCENT = st.integers(min_value=0, max_value=100)


@given(RUN_IDS, PERCENT)
def test_asking_twice_says_the_same(run: RunId, percent: int) -> None:
    deployment = Deployment("1", Ramp("2", percent))

    assert route(bucket(run), deployment) == route(bucket(run), deployment)
    assert 0 <= bucket(run) < BUCKETS


@given(RUN_IDS, PERCENT, PERCENT)
def test_a_growing_ramp_takes_nothing_back(run: RunId, one: int, other: int) -> None:
    lower, higher = sorted((one, other))

    if route(bucket(run), Deployment("1", Ramp("2", lower))) == "2":
        assert route(bucket(run), Deployment("1", Ramp("2", higher))) == "2"


@given(RUN_IDS)
def test_a_full_ramp_gets_all_and_none_gets_nothing(run: RunId) -> None:
    assert route(bucket(run), Deployment("1", Ramp("2", 100))) == "2"
    assert route(bucket(run), Deployment("1")) == "1"
