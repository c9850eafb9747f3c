"""Frames as adapters see them, and the state that each leads to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

Json = dict[str, Any]
Frame = Mapping[str, Any]
"""As on a line of NDJSON: ``docs/events.md`` has them."""


class Channel(StrEnum):
    EVENTS = "events"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Told:
    """What a reader knows. ``state`` is None before the first snapshot; ``over``: it is all.

    Of an output: how many characters and items of which attempt it was told. What is told again
    after a loss is no news to it.
    """

    run: str
    state: Json | None = None
    over: bool = False
    attempt: int = 0
    characters: int = 0
    items: int = 0

    @property
    def text(self) -> str:
        """The id of what the attempt says."""
        return f"{self.run}:{self.attempt}"

    def after(self, state: Json, *, over: bool) -> "Told":
        return replace(self, state=state, over=over)


Adapter = Callable[[Told, Frame], tuple[Told, list[Json]]]
"""What is known after a frame, and the protocol's events that tell it."""


def run_after(state: Json, frame: Frame) -> Json:
    """A run's state after a frame of its events."""
    match frame["type"]:
        case "snapshot":
            return dict(frame["state"])
        case "event":
            return {**state, **frame["patch"]}
        case _:
            return state


def output_after(state: Json, frame: Frame) -> Json:
    """What a run has said after a frame of its output."""
    if frame["type"] != "event":
        return run_after(state, frame)
    match frame["kind"]:
        case "output.delta":
            return {**state, "text": state["text"] + frame["data"]["text"]}
        case "output.item":
            return {**state, "items": [*state["items"], frame["data"]["item"]]}
        case _:
            return run_after(state, frame)


@dataclass(frozen=True, slots=True)
class News:
    """What an output's state has that its reader was not told. Items come with their numbers."""

    told: Told
    """With it."""

    began: bool
    superseded: bool
    text: str
    items: list[tuple[int, Any]]


def news(told: Told, state: Json, *, over: bool) -> News:
    began = bool(state["attempt"]) and state["attempt"] != told.attempt
    known = (0, 0) if began else (told.characters, told.items)
    text, items = state["text"], state["items"]
    after = replace(
        told,
        state=state,
        over=over,
        attempt=state["attempt"],
        characters=max(known[0], len(text)),
        items=max(known[1], len(items)),
    )
    numbered = list(enumerate(items))[known[1] :]
    superseded = began and told.attempt > 0
    return News(after, began=began, superseded=superseded, text=text[known[0] :], items=numbered)


def active(state: Json) -> list[str]:
    """The stages under way, in their order."""
    return [stage["key"] for stage in state.get("stages") or [] if stage["status"] == "active"]
