import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from api.encoding import described, goodbye, line, unplaced
from api.frames import FRAME
from storage.events import Event, EventKind, Frame, Gap, Recorded, Snapshot
from storage.ids import Attempt, Seq

AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
STATES = st.dictionaries(st.text(), VALUES)
SEQS = st.integers(min_value=1, max_value=2**53).map(Seq)
EVENTS = st.builds(
    Event,
    kind=st.sampled_from(EventKind),
    at=st.just(AT),
    attempt=st.just(Attempt(1)),
    data=STATES,
    patch=STATES,
)
FRAMES = (
    st.builds(Recorded, SEQS, EVENTS)
    | st.builds(Snapshot, SEQS, STATES, st.booleans())
    | st.builds(Gap, SEQS, SEQS)
)


@given(FRAMES)
def test_a_frame_is_one_line_for_any_reader_and_says_what_it_said(frame: Frame) -> None:
    kind, fields = described(frame)

    made = line(frame)

    assert made.ndjson.decode().splitlines() == [made.ndjson.decode().rstrip("\n")]
    assert json.loads(made.ndjson) == {"type": kind, **fields}
    assert f"event: {kind}\ndata: ".encode() in made.sse
    assert made.sse.endswith(b"\n\n")
    assert made.sse.decode().splitlines()[-2].startswith("data: ")


def test_the_id_is_the_place_to_go_on_from() -> None:
    event = Event(kind=EventKind.PROGRESS, at=AT, attempt=Attempt(1))

    assert line(Recorded(Seq(7), event)).sse.startswith(b"id: 7\n")
    assert line(Snapshot(Seq(7), {}, ended=False)).sse.startswith(b"id: 7\n")


def test_what_is_no_place_in_the_stream_has_no_id() -> None:
    frames = [
        line(Gap(Seq(1), Seq(2))),
        unplaced({"status": "running"}),
        goodbye("age", retry_milliseconds=1),
    ]

    assert all(b"id: " not in frame.sse for frame in frames)


def test_goodbye_says_when_to_come_back() -> None:
    assert goodbye("shutdown", retry_milliseconds=1_200).sse.startswith(b"retry: 1200\n")


def test_readers_understand_the_snapshot_of_a_server_without_redis() -> None:
    frame = FRAME.validate_json(unplaced({"status": "running"}).ndjson)

    assert frame.model_dump() == {
        "type": "snapshot",
        "seq": None,
        "state": {"status": "running"},
        "ended": False,
    }
