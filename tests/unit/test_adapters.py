"""Other protocols' streams say what ours says, in words that their own schemas take."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ag_ui.core import Event
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, TypeAdapter

from api.adapters import ADAPTERS, Channel, Protocol
from api.adapters.frames import Told, output_after, run_after

Json = dict[str, Any]
RUN = "01936f2f-02aa-7c11-8e0d-6b2d9e4f7a21"
AG_UI: TypeAdapter[Any] = TypeAdapter(Event)


def chunk(kind: str, **fields: str) -> Json:
    """A chunk of the UI message stream that is checked strictly; a ``?`` marks what may lack."""
    properties = {name.rstrip("?"): {"type": each} if each else {} for name, each in fields.items()}
    return {
        "type": "object",
        "properties": {"type": {"type": "string", "pattern": f"^{kind}$"}, **properties},
        "required": ["type", *(name for name in fields if not name.endswith("?"))],
        "additionalProperties": False,
    }


# uiMessageChunkSchema of the package `ai`, as far as we speak it, in the strictest version we know.
AI_SDK = Draft202012Validator(
    {
        "oneOf": [
            chunk("start", messageId="string"),
            chunk("text-start", id="string"),
            chunk("text-delta", id="string", delta="string"),
            chunk("text-end", id="string"),
            chunk("data-[a-z]+", id="string", data=""),
            chunk("error", errorText="string"),
            chunk("abort"),
            chunk("finish"),
        ]
    }
)

STAGES = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(["find", "read", "tidy"]),
            "status": st.sampled_from(["pending", "active", "done"]),
            "done": st.integers(0, 9),
        }
    ),
    max_size=3,
    unique_by=lambda stage: stage["key"],
)
QUESTION = {"name": "publish", "answer_schema": {"type": "object"}, "about": {"pages": 3}}
REASONS = st.sampled_from(
    [
        {"code": "rate_limited", "message": "Later."},
        {"code": "input", "message": "Publish?", "question": QUESTION},
        {"code": "reauthorization", "message": "Connect again."},
    ]
)
GOES_ON = st.fixed_dictionaries(
    {},
    optional={
        "stages": STAGES,
        "searchable": st.integers(0, 99),
        "a/strange~field": st.text(max_size=3),
        "activity": st.none() | st.text(max_size=9),
    },
)
WAITS = st.fixed_dictionaries({"status": st.just("waiting"), "reason": REASONS})
ENDS = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["succeeded", "succeeded_with_failures", "failed", "cancelled"]),
        "reason": st.sampled_from([None, {"code": "stage_failed", "message": "No."}]),
        "output": st.none() | st.just({"n": 1}),
    }
)


def event(patch: Mapping[str, Any], kind: str = "run.progress") -> Json:
    return {"type": "event", "seq": 1, "kind": kind, "data": {}, "patch": dict(patch)}


def snapshot(state: Mapping[str, Any]) -> Json:
    return {"type": "snapshot", "seq": 1, "state": dict(state), "ended": False}


@st.composite
def run_frames(draw: st.DrawFn) -> list[Json]:
    """A run as a reader gets it: a snapshot, what follows, now and then a gap, maybe the end."""
    state: Json = {"id": RUN, "connection_id": None, "status": "running", "stages": []}
    frames = [snapshot(state)]
    for _ in range(draw(st.integers(0, 8))):
        patch = draw(st.one_of(GOES_ON, GOES_ON, WAITS))
        state = {**state, **patch}
        lost = draw(st.integers(0, 4)) == 0
        frames += [{"type": "gap", "from": 1, "to": 2}, snapshot(state)] if lost else [event(patch)]
    if draw(st.booleans()):
        frames.append(event(draw(ENDS), "run.failed"))
    return frames


@st.composite
def output_frames(draw: st.DrawFn) -> list[Json]:
    """What a run says: text and items of attempts, of which some die, and maybe the end."""
    nothing: Json = {"attempt": 0, "status": "queued", "text": "", "items": [], "output": None}
    frames, state = [snapshot(nothing)], nothing
    for attempt in range(1, draw(st.integers(1, 3)) + 1):
        began = {**nothing, "attempt": attempt, "status": "running"}
        frames.append(event(began, "output.began" if attempt == 1 else "attempt.superseded"))
        for _ in range(draw(st.integers(0, 4))):
            if draw(st.booleans()):
                data = {"text": draw(st.text(min_size=1, max_size=5))}
                frames.append({**event({}, "output.delta"), "data": data})
            else:
                frames.append({**event({}, "output.item"), "data": {"item": [attempt]}})
        if draw(st.integers(0, 3)) == 0:
            for frame in frames:
                state = output_after(state, frame)
            frames.append(snapshot(state))
    if draw(st.booleans()):
        frames.append(event(draw(ENDS), "run.succeeded"))
    return frames


def told(protocol: Protocol, channel: Channel, frames: Sequence[Json]) -> tuple[list[Json], Told]:
    place, events = Told(RUN), list[Json]()
    for frame in frames:
        place, more = ADAPTERS[protocol, channel](place, frame)
        events += more
    return events, place


def native(channel: Channel, frames: Sequence[Json]) -> Json:
    state: Json = {}
    for frame in frames:
        state = (run_after if channel is Channel.EVENTS else output_after)(state, frame)
    return state


def strange(model: BaseModel) -> list[str]:
    """Fields that the protocol does not have, wherever in an event."""
    found = list(model.model_extra or {})
    for name in type(model).model_fields:
        value = getattr(model, name)
        for each in value if isinstance(value, list) else [value]:
            found += strange(each) if isinstance(each, BaseModel) else []
    return found


def of_type(events: Sequence[Json], *kinds: str) -> list[Json]:
    return [each for each in events if each["type"] in kinds]


@settings(max_examples=50)
@given(frames=st.one_of(run_frames(), output_frames()))
def test_ag_ui_takes_every_event_and_has_no_field_of_ours(frames: list[Json]) -> None:
    channel = Channel.OUTPUT if "text" in frames[0]["state"] else Channel.EVENTS

    events, _ = told(Protocol.AG_UI, channel, frames)

    for each in events:
        assert strange(AG_UI.validate_python(each)) == [], each


@settings(max_examples=50)
@given(frames=st.one_of(run_frames(), output_frames()))
def test_an_ag_ui_stream_is_one_run_from_its_start_to_its_end(frames: list[Json]) -> None:
    channel = Channel.OUTPUT if "text" in frames[0]["state"] else Channel.EVENTS

    events, place = told(Protocol.AG_UI, channel, frames)

    kinds = [each["type"] for each in events]
    ends = {"RUN_FINISHED", "RUN_ERROR"}
    assert kinds[0] == "RUN_STARTED"
    assert kinds.count("RUN_STARTED") == 1
    assert [at for at, kind in enumerate(kinds) if kind in ends] == (
        [len(kinds) - 1] if place.over else []
    )
    for opened, closed, name in (
        ("STEP_STARTED", "STEP_FINISHED", "stepName"),
        ("TEXT_MESSAGE_START", "TEXT_MESSAGE_END", "messageId"),
    ):
        under_way: set[str] = set()
        for each in of_type(events, opened, closed):
            assert (each[name] in under_way) is (each["type"] == closed)
            under_way ^= {each[name]}
        assert not (place.over and under_way)


@settings(max_examples=50)
@given(run_frames())
def test_ag_ui_state_and_deltas_add_up_to_the_runs_state(frames: list[Json]) -> None:
    events, place = told(Protocol.AG_UI, Channel.EVENTS, frames)

    state: Json = {}
    for each in of_type(events, "STATE_SNAPSHOT", "STATE_DELTA"):
        state = dict(each.get("snapshot", state))
        for change in each.get("delta", []):
            assert change["op"] == "add"
            name = change["path"].removeprefix("/").replace("~1", "/").replace("~0", "~")
            state[name] = change["value"]
    assert state == place.state
    if not place.over:
        assert state == native(Channel.EVENTS, frames)


@settings(max_examples=50)
@given(frames=st.one_of(run_frames(), output_frames()))
def test_the_ai_sdk_takes_every_chunk(frames: list[Json]) -> None:
    channel = Channel.OUTPUT if "text" in frames[0]["state"] else Channel.EVENTS

    chunks, place = told(Protocol.AI_SDK, channel, frames)

    for each in chunks:
        AI_SDK.validate(each)
    assert [each["type"] for each in chunks].count("start") == 1
    assert (chunks[-1]["type"] in {"finish", "error", "abort"}) is place.over


@settings(max_examples=50)
@given(run_frames())
def test_the_ai_sdks_data_part_is_the_runs_state(frames: list[Json]) -> None:
    chunks, _ = told(Protocol.AI_SDK, Channel.EVENTS, frames)

    assert of_type(chunks, "data-run")[-1]["data"] == native(Channel.EVENTS, frames)


@pytest.mark.parametrize(
    ("protocol", "kind", "place"),
    [(Protocol.AG_UI, "TEXT_MESSAGE_CONTENT", "messageId"), (Protocol.AI_SDK, "text-delta", "id")],
)
@settings(max_examples=50)
@given(frames=output_frames())
def test_the_text_of_the_last_attempt_is_what_the_run_said(
    protocol: Protocol, kind: str, place: str, frames: list[Json]
) -> None:
    events, _ = told(protocol, Channel.OUTPUT, frames)

    state = native(Channel.OUTPUT, frames)
    mine = [each for each in of_type(events, kind) if each[place] == f"{RUN}:{state['attempt']}"]
    assert "".join(each["delta"] for each in mine) == state["text"]


def test_a_run_that_asks_somebody_is_an_interrupt_with_the_answers_schema() -> None:
    reason = {"code": "input", "message": "Publish?", "question": QUESTION}
    frames = [snapshot({"status": "waiting", "reason": reason, "connection_id": "c"})]

    events, place = told(Protocol.AG_UI, Channel.EVENTS, frames)

    assert place.over
    assert (events[-1]["threadId"], events[-1]["outcome"]["type"]) == ("c", "interrupt")
    [interrupt] = events[-1]["outcome"]["interrupts"]
    assert (interrupt["id"], interrupt["responseSchema"]) == ("publish", {"type": "object"})


def test_what_is_told_again_after_a_loss_is_no_news() -> None:
    half = {"attempt": 1, "status": "running", "text": "Hello, Ada", "items": [1], "output": None}
    frames = [snapshot(half), snapshot({**half, "text": "Hel", "items": []})]
    frames.append({**event({}, "output.delta"), "data": {"text": "lo, Ada!"}})

    chunks, _ = told(Protocol.AI_SDK, Channel.OUTPUT, frames)

    assert "".join(each["delta"] for each in of_type(chunks, "text-delta")) == "Hello, Ada!"
    assert len(of_type(chunks, "data-item")) == 1
