"""Webhooks as GitHub sends them: one for each change, signed over the very bytes."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from connectors.github.fake import shapes
from connectors.github.fake.world import Repo, World


@dataclass(frozen=True, slots=True)
class Delivery:
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Hooks:
    """Tells of what changes after it was made. ``installation`` is that of an App, if it is one."""

    world: World
    secret: bytes
    api: str = "https://api.github.com"
    installation: int | None = None
    _seen: dict[str, object] = field(default_factory=dict[str, object])

    def __post_init__(self) -> None:
        self._seen = dict(self._states())

    def changes(self) -> list[Delivery]:
        """What there is to tell since the last time."""
        before, self._seen = self._seen, dict(self._states())
        found = []
        for key, state in self._seen.items():
            if before.get(key) == state:
                continue
            event, _, name = key.partition(" ")
            repo = self.world.repos[name.partition("#")[0]]
            about = {"before": before.get(key), "after": state} if event == "push" else {}
            found.append(self.delivery(event, repo, **about))
        return found

    def ping(self, repo: Repo) -> Delivery:
        """What GitHub sends when a webhook was made."""
        return self.delivery("ping", repo, zen="Design for failure.")

    def delivery(self, event: str, repo: Repo, **about: Any) -> Delivery:
        told: dict[str, Any] = {
            **about,
            "repository": shapes.repository(self.api, repo),
            "sender": shapes.user(self.api, "ada"),
        }
        if self.installation is not None:
            told["installation"] = {"id": self.installation, "node_id": "I"}
        return self.signed(event, json.dumps(told).encode())

    def signed(self, event: str, body: bytes) -> Delivery:
        """These bytes, under an id of their own."""
        mac = hmac.new(self.secret, body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/fake",
            "X-GitHub-Delivery": str(uuid4()),
            "X-GitHub-Event": event,
            "X-Hub-Signature-256": f"sha256={mac}",
        }
        return Delivery(headers, body)

    def _states(self) -> Iterator[tuple[str, object]]:
        for name, repo in self.world.repos.items():
            yield f"push {name}", repo.head
            for talk in repo.talks.values():
                yield f"issues {name}#{talk.number}", talk.updated
