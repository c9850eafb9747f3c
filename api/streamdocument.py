"""What the OpenAPI document says of streams, which FastAPI cannot know."""

from typing import Any

from pydantic import TypeAdapter

from api import examples
from api.frames import FramesPage, StreamFrame
from api.workflows import OutputView

Document = dict[str, Any]
JSON = "application/json"
TICKET: Document = {
    "name": "ticket",
    "in": "query",
    "required": False,
    "description": "From POST /v1/runs/{run_id}/ticket, where headers cannot be set",
    "schema": {"type": "string"},
}
SERVER_SENT: Document = {
    "type": "object",
    "description": "A server-sent event. `data` is the frame without its `type`, as JSON.",
    "required": ["event", "data"],
    "properties": {
        "event": {"type": "string", "examples": ["snapshot", "event", "gap", "goodbye"]},
        "id": {"type": "string", "description": "The frame's `seq`, where it has one"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}


OWNER_FRAMES: Document = {
    "type": "object",
    "required": ["frames", "cursor", "ended"],
    "properties": {
        "frames": {
            "type": "array",
            "items": {
                "type": "object",
                "description": "`cards`, or a StreamFrame with its `run_id`",
                "required": ["type"],
                "properties": {
                    "type": {"type": "string"},
                    "run_id": {"type": "string", "format": "uuid"},
                },
            },
        },
        "cursor": {"type": "string", "description": "Send it as `cursor` next time"},
        "ended": {"type": "boolean", "description": "Never: new runs may come"},
    },
}


def tell_streams(made: Document, schemas: Document) -> None:
    """The frames, as they come on each of the three roads."""
    template = "#/components/schemas/{model}"
    frame = TypeAdapter(StreamFrame).json_schema(ref_template=template)
    page = FramesPage.model_json_schema(ref_template=template, by_alias=True)
    schemas.update(frame.pop("$defs"))
    page.pop("$defs")
    schemas.update({"StreamFrame": frame, "FramesPage": page})
    output = OutputView.model_json_schema(ref_template=template)
    schemas["OutputView"] = output
    frames: Document = {
        "schema": {"$ref": "#/components/schemas/FramesPage"},
        "example": {
            "frames": [{"type": "event", **examples.EVENT}],
            "cursor": 58,
            "ended": False,
        },
    }
    said = {"schema": {"$ref": "#/components/schemas/OutputView"}, "example": examples.OUTPUT}
    _tell_frames(made["paths"]["/v1/runs/{run_id}/events"]["get"], now=frames)
    schemas["OwnerFrames"] = OWNER_FRAMES
    cards = {"schema": {"$ref": "#/components/schemas/OwnerFrames"}, "example": examples.CARDS}
    _tell_frames(made["paths"]["/v1/events"]["get"], now=cards, ends=False)
    _tell_frames(made["paths"]["/v1/runs/{run_id}/output"]["get"], now=said)


def _tell_frames(operation: Document, *, now: Document, ends: bool = True) -> None:
    lines = {"type": "string", "description": "One StreamFrame a line"}
    operation["responses"]["200"] = {
        "description": "Frames, to the end of the run; as JSON, what there is now",
        "content": {
            "text/event-stream": {"schema": SERVER_SENT, "example": examples.SSE},
            "application/x-ndjson": {"schema": lines, "example": examples.NDJSON},
            JSON: now,
        },
    }
    if ends:  # a ticket is for one run
        operation["parameters"].append(TICKET)
        end = {"description": "The cursor is the run's end: do not return"}
        operation["responses"]["204"] = end
