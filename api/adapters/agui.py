"""AG-UI 1.0: https://docs.ag-ui.com/spec/1.0. Every stream is a run, from its start to its end.

A run that waits for somebody ends with the outcome ``interrupt``, as the protocol has it. Whoever
has answered opens the stream anew.
"""

from typing import Any

from api.adapters.frames import Frame, Json, Told, active, news, output_after, run_after

VERSION = "1.0"
ASKS_SOMEBODY = frozenset({"input", "reauthorization"})
SUCCESS = frozenset({"succeeded", "succeeded_with_failures"})


def of_events(told: Told, frame: Frame) -> tuple[Told, list[Json]]:
    """The run's state as the agent's, its stages as steps."""
    if told.over or frame["type"] not in {"snapshot", "event"}:
        return told, []
    before = told.state
    state = run_after(before or {}, frame)
    events: list[Json] = []
    if before is None:
        events.append(_started(state.get("connection_id") or told.run, told.run))
    if frame["type"] == "snapshot":
        events.append({"type": "STATE_SNAPSHOT", "snapshot": state})
    elif frame["patch"]:
        events.append({"type": "STATE_DELTA", "delta": _patch(frame["patch"])})
    under_way, now = active(before or {}), active(state)
    events += [_step("STARTED", key) for key in now if key not in under_way]
    end = _end(told.run, state)
    left = under_way + [key for key in now if key not in under_way] if end else under_way
    events += [_step("FINISHED", key) for key in left if end or key not in now]
    return told.after(state, over=end is not None), events + ([end] if end else [])


def of_output(told: Told, frame: Frame) -> tuple[Told, list[Json]]:
    """Its text as an assistant's messages, one an attempt; its items as ``output.item``."""
    if told.over or frame["type"] not in {"snapshot", "event"}:
        return told, []
    events = [_started(told.run, told.run)] if told.state is None else []
    state = output_after(told.state or {}, frame)
    end = _end(told.run, state, result=state["output"])
    new = news(told, state, over=end is not None)
    if new.superseded:  # what it said does not count any more
        events.append(_message("END", told))
        taken_back = {"messageId": told.text}
        events.append({"type": "CUSTOM", "name": "output.superseded", "value": taken_back})
    if new.began:
        events.append({**_message("START", new.told), "role": "assistant"})
    if new.text:
        events.append({**_message("CONTENT", new.told), "delta": new.text})
    events += [{"type": "CUSTOM", "name": "output.item", "value": item} for _, item in new.items]
    if end is not None:
        events += [*([_message("END", new.told)] if new.told.attempt else []), end]
    return new.told, events


def _message(what: str, told: Told) -> Json:
    return {"type": f"TEXT_MESSAGE_{what}", "messageId": told.text}


def _started(thread: str, run: str) -> Json:
    return {"type": "RUN_STARTED", "threadId": thread, "runId": run, "protocolVersion": VERSION}


def _step(what: str, key: str) -> Json:
    return {"type": f"STEP_{what}", "stepName": key}


def _patch(patch: Json) -> list[Json]:
    """RFC 6902, where ``add`` replaces what is there."""
    return [{"op": "add", "path": f"/{_escaped(name)}", "value": patch[name]} for name in patch]


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _end(run: str, state: Json, *, result: Any = None) -> Json | None:
    """What ends the protocol's run; None while it goes on."""
    status, reason = state["status"], state.get("reason") or {}
    if status == "failed":
        message = reason.get("message") or "The run failed."
        return {"type": "RUN_ERROR", "message": message, "code": reason.get("code", "failed")}
    outcome: Json | None = None
    if status in SUCCESS:
        outcome = {"type": "success"}
    elif status == "cancelled":
        outcome = {"type": "cancelled"}
    elif status == "waiting" and reason.get("code") in ASKS_SOMEBODY:
        outcome = {"type": "interrupt", "interrupts": [_interrupt(reason)]}
    if outcome is None:
        return None
    thread = state.get("connection_id") or run
    finished = {"type": "RUN_FINISHED", "threadId": thread, "runId": run, "outcome": outcome}
    return finished if result is None else {**finished, "result": result}


def _interrupt(reason: Json) -> Json:
    question = reason.get("question") or {}
    interrupt: Json = {
        "id": question.get("name") or reason["code"],
        "reason": reason["code"],
        "message": reason.get("message", ""),
    }
    if question:
        interrupt["responseSchema"] = question["answer_schema"]
        interrupt["metadata"] = {"about": question.get("about")}
    return interrupt
