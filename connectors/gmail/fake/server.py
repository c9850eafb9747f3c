"""The fake Gmail as a server: its routes, and what it answers on them."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.fakes.google import Asked, Fake, Refusal
from connectors.gmail.fake import shapes
from connectors.gmail.fake.world import World
from connectors.gmail.quota import Call

_USER = r"/gmail/v1/users/me"
_ROUTES = (
    (Call.PROFILE, re.compile(rf"{_USER}/profile")),
    (Call.LIST, re.compile(rf"{_USER}/messages")),
    (Call.MESSAGE, re.compile(rf"{_USER}/messages/([^/]+)")),
    (Call.THREAD, re.compile(rf"{_USER}/threads/([^/]+)")),
    (Call.HISTORY, re.compile(rf"{_USER}/history")),
    (Call.ATTACHMENT, re.compile(rf"{_USER}/messages/([^/]+)/attachments/([^/]+)")),
    (Call.WATCH, re.compile(rf"{_USER}/watch")),
    (Call.STOP, re.compile(rf"{_USER}/stop")),
)
_TOPIC = re.compile(r"projects/[^/]+/topics/[^/]+")
SCHEMAS: Mapping[str, str] = {
    Call.PROFILE: "Profile",
    Call.LIST: "ListMessagesResponse",
    Call.MESSAGE: "Message",
    Call.THREAD: "Thread",
    Call.HISTORY: "ListHistoryResponse",
    Call.ATTACHMENT: "MessagePartBody",
    Call.WATCH: "WatchResponse",
}


class FakeGmail(Fake):
    routes = _ROUTES
    schemas = SCHEMAS

    def __init__(self, world: World, check: Callable[[str, Any], None] | None = None) -> None:
        super().__init__(world, check)
        self.world = world

    def route(self, asked: Asked) -> Any:
        names, query = asked.names, asked.query
        match asked.call:
            case Call.PROFILE | Call.WATCH | Call.STOP:
                return self._account(asked)
            case Call.LIST:
                return self._list(query)
            case Call.HISTORY:
                return self._history(query)
            case Call.MESSAGE if names[0] in self.world.messages:
                return shapes.full(self.world.messages[names[0]])
            case Call.THREAD if members := self.world.thread(names[0]):
                return {"id": names[0], "historyId": str(max(each.history for each in members)),
                        "messages": [shapes.full(each) for each in members]}  # fmt: skip
            case Call.ATTACHMENT if names[0] in self.world.messages:
                content = shapes.files(self.world.messages[names[0]])[names[1]]
                return {"size": len(content), "data": shapes.encoded(content)}
        raise Refusal(404, "notFound", "Requested entity was not found.")

    def _profile(self) -> Any:
        messages = self.world.messages.values()
        return {
            "emailAddress": self.world.address,
            "messagesTotal": len(messages),
            "threadsTotal": len({each.thread for each in messages}),
            "historyId": str(self.world.history),
        }

    def _account(self, asked: Asked) -> Any:
        match asked.call:
            case Call.WATCH:
                return self._watch(asked.body)
            case Call.STOP:
                self.world.topic = None
                return None
            case _:
                return self._profile()

    def _watch(self, body: bytes) -> Any:
        topic = json.loads(body).get("topicName", "")
        if not _TOPIC.fullmatch(topic):
            raise Refusal(400, "invalidArgument", "Invalid topicName does not match")
        self.world.topic = topic
        until = datetime.now(UTC) + timedelta(days=7)
        history = str(self.world.history)
        return {"historyId": history, "expiration": str(int(until.timestamp() * 1_000))}

    def _list(self, query: Mapping[str, str]) -> Any:
        """Tokens count from the top: the unkindest way that a listing may go on."""
        era, _, place = query.get("pageToken", f"{self.world.forgotten}.0").partition(".")
        if not place.isdigit() or era != str(self.world.forgotten):
            raise Refusal(400, "invalidArgument", "Invalid pageToken")
        found, start = self.world.listing(), int(place)
        end = start + min(int(query.get("maxResults", "100")), 500)
        page: dict[str, Any] = {"resultSizeEstimate": len(found)}
        if messages := [shapes.reference(each) for each in found[start:end]]:
            page["messages"] = messages
        if end < len(found):
            page["nextPageToken"] = f"{era}.{end}"
        return page

    def _history(self, query: Mapping[str, str]) -> Any:
        start = int(query["startHistoryId"])
        if start < self.world.forgotten:
            raise Refusal(404, "notFound", "Requested entity was not found.")
        after = [each for each in self.world.happened if each.id > start]
        most = int(query.get("maxResults", "100"))
        answer: dict[str, Any] = {"historyId": str(self.world.history)}
        if after:
            answer["history"] = [shapes.record(each) for each in after[:most]]
        if len(after) > most:
            answer["nextPageToken"] = str(after[most].id)
        return answer
