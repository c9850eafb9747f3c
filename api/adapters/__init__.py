"""A run's frames in the protocols of others: pure functions of what was told and the next frame.

The native stream stays the truth. What a protocol cannot say (a place to go on from, a gap) is left
out: who comes back begins with a whole state.
"""

from collections.abc import Mapping
from enum import StrEnum

from api.adapters import agui, aisdk
from api.adapters.frames import Adapter, Channel


class Protocol(StrEnum):
    AG_UI = "ag-ui"
    AI_SDK = "ai-sdk"


ADAPTERS: Mapping[tuple[Protocol, Channel], Adapter] = {
    (Protocol.AG_UI, Channel.EVENTS): agui.of_events,
    (Protocol.AG_UI, Channel.OUTPUT): agui.of_output,
    (Protocol.AI_SDK, Channel.EVENTS): aisdk.of_events,
    (Protocol.AI_SDK, Channel.OUTPUT): aisdk.of_output,
}
HEADERS: Mapping[Protocol, Mapping[str, str]] = {
    Protocol.AG_UI: {},
    Protocol.AI_SDK: {"x-vercel-ai-ui-message-stream": "v1"},
}
LAST: Mapping[Protocol, bytes] = {Protocol.AG_UI: b"", Protocol.AI_SDK: b"data: [DONE]\n\n"}
"""What follows the last event."""

__all__ = ["ADAPTERS", "HEADERS", "LAST", "Adapter", "Channel", "Protocol"]
