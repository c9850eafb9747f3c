"""The AI SDK's UI message stream, version 1: https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol.

Chunks are checked strictly by its clients, so none has a field that an older client does not know.
"""

from api.adapters.frames import Frame, Json, Told, news, output_after, run_after

SUCCESS = frozenset({"succeeded", "succeeded_with_failures"})


def of_events(told: Told, frame: Frame) -> tuple[Told, list[Json]]:
    """The run's state as one data part, which each frame brings up to date in its place."""
    if told.over or frame["type"] not in {"snapshot", "event"}:
        return told, []
    state = run_after(told.state or {}, frame)
    events = [_start(told.run)] if told.state is None else []
    events.append({"type": "data-run", "id": told.run, "data": state})
    end = _end(state)
    return told.after(state, over=end is not None), events + ([end] if end else [])


def of_output(told: Told, frame: Frame) -> tuple[Told, list[Json]]:
    """Its text as text parts, one an attempt; items, and the result at last, as data parts."""
    if told.over or frame["type"] not in {"snapshot", "event"}:
        return told, []
    events = [_start(told.run)] if told.state is None else []
    state = output_after(told.state or {}, frame)
    end = _end(state)
    new = news(told, state, over=end is not None)
    if new.superseded:  # what it said does not count any more
        events.append({"type": "text-end", "id": told.text})
        events.append({"type": "data-superseded", "id": told.text, "data": {"text": told.text}})
    if new.began:
        events.append({"type": "text-start", "id": new.told.text})
    if new.text:
        events.append({"type": "text-delta", "id": new.told.text, "delta": new.text})
    events += [
        {"type": "data-item", "id": f"{new.told.text}:{number}", "data": item}
        for number, item in new.items
    ]
    return new.told, events + (_last(new.told, end) if end else [])


def _last(told: Told, end: Json) -> list[Json]:
    output = (told.state or {})["output"]
    return [
        *([{"type": "text-end", "id": told.text}] if told.attempt else []),
        *([] if output is None else [{"type": "data-output", "id": told.run, "data": output}]),
        end,
    ]


def _start(run: str) -> Json:
    return {"type": "start", "messageId": run}


def _end(state: Json) -> Json | None:
    """What ends the message; None while it goes on."""
    if state["status"] == "failed":
        reason = state.get("reason") or {}
        return {"type": "error", "errorText": reason.get("message") or "The run failed."}
    if state["status"] == "cancelled":
        return {"type": "abort"}
    return {"type": "finish"} if state["status"] in SUCCESS else None
