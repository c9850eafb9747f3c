"""Webhooks from Python: ``client.webhooks``. docs/webhooks.md says what they are told."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from api.client import hookcalls
from api.client.calls import Call
from api.hookviews import DeliveryView, Replayed, WebhookMade, WebhookView
from api.schemas import Page

T = TypeVar("T")
Id = UUID | str


class Asks(Protocol):
    """What a blocking client does of a call."""

    def do(self, call: Call[T]) -> T: ...

    def pages(self, page: Callable[[str | None], Call[Page[T]]]) -> Iterator[T]: ...


class AsksAwaited(Protocol):
    """What an awaited client does of a call."""

    async def do(self, call: Call[T]) -> T: ...

    def pages(self, page: Callable[[str | None], Call[Page[T]]]) -> AsyncIterator[T]: ...


class Webhooks:
    """Who is told of what."""

    def __init__(self, client: Asks) -> None:
        self._client = client

    def create(
        self, url: str, *, events: Collection[str] | None = None, description: str = ""
    ) -> WebhookMade:
        """``events`` None: all of them. Its ``secret`` is shown this once."""
        call = hookcalls.create(url, events=events, description=description)
        return self._client.do(call)

    def list(self) -> Iterator[WebhookView]:
        """The newest first."""
        return self._client.pages(hookcalls.page)

    def get(self, webhook_id: Id) -> WebhookView:
        return self._client.do(hookcalls.one(webhook_id))

    def change(
        self,
        webhook_id: Id,
        *,
        url: str,
        events: Collection[str] | None = None,
        description: str = "",
        enabled: bool = True,
    ) -> WebhookView:
        """The whole of it, as it is to be from now on."""
        call = hookcalls.change(
            webhook_id, url=url, events=events, description=description, enabled=enabled
        )
        return self._client.do(call)

    def delete(self, webhook_id: Id) -> None:
        self._client.do(hookcalls.delete(webhook_id))

    def rotate(self, webhook_id: Id, *, overlap_hours: int = 24) -> WebhookMade:
        """Another ``secret``, shown this once; the one before signs beside it for a while."""
        return self._client.do(hookcalls.rotate(webhook_id, overlap_hours=overlap_hours))

    def test(self, webhook_id: Id) -> DeliveryView:
        """Have a ``webhook.test`` sent; its deliveries tell what came of it."""
        return self._client.do(hookcalls.probe(webhook_id))

    def deliveries(self, webhook_id: Id, *, status: str | None = None) -> Iterator[DeliveryView]:
        """What it was told in thirty days, the newest first."""
        return self._client.pages(
            lambda cursor: hookcalls.deliveries(webhook_id, cursor, status=status)
        )

    def replay(self, webhook_id: Id, delivery_id: Id) -> DeliveryView:
        return self._client.do(hookcalls.replay(webhook_id, delivery_id))

    def replay_failed(self, webhook_id: Id, since: datetime) -> Replayed:
        """A thousand at once; ``more`` says whether to ask again."""
        return self._client.do(hookcalls.replay_failed(webhook_id, since))


class AsyncWebhooks:
    """``Webhooks``, awaited."""

    def __init__(self, client: AsksAwaited) -> None:
        self._client = client

    async def create(
        self, url: str, *, events: Collection[str] | None = None, description: str = ""
    ) -> WebhookMade:
        """``events`` None: all of them. Its ``secret`` is shown this once."""
        call = hookcalls.create(url, events=events, description=description)
        return await self._client.do(call)

    def list(self) -> AsyncIterator[WebhookView]:
        """The newest first."""
        return self._client.pages(hookcalls.page)

    async def get(self, webhook_id: Id) -> WebhookView:
        return await self._client.do(hookcalls.one(webhook_id))

    async def change(
        self,
        webhook_id: Id,
        *,
        url: str,
        events: Collection[str] | None = None,
        description: str = "",
        enabled: bool = True,
    ) -> WebhookView:
        """The whole of it, as it is to be from now on."""
        call = hookcalls.change(
            webhook_id, url=url, events=events, description=description, enabled=enabled
        )
        return await self._client.do(call)

    async def delete(self, webhook_id: Id) -> None:
        await self._client.do(hookcalls.delete(webhook_id))

    async def rotate(self, webhook_id: Id, *, overlap_hours: int = 24) -> WebhookMade:
        """Another ``secret``, shown this once; the one before signs beside it for a while."""
        return await self._client.do(hookcalls.rotate(webhook_id, overlap_hours=overlap_hours))

    async def test(self, webhook_id: Id) -> DeliveryView:
        """Have a ``webhook.test`` sent; its deliveries tell what came of it."""
        return await self._client.do(hookcalls.probe(webhook_id))

    def deliveries(
        self, webhook_id: Id, *, status: str | None = None
    ) -> AsyncIterator[DeliveryView]:
        """What it was told in thirty days, the newest first."""
        return self._client.pages(
            lambda cursor: hookcalls.deliveries(webhook_id, cursor, status=status)
        )

    async def replay(self, webhook_id: Id, delivery_id: Id) -> DeliveryView:
        return await self._client.do(hookcalls.replay(webhook_id, delivery_id))

    async def replay_failed(self, webhook_id: Id, since: datetime) -> Replayed:
        """A thousand at once; ``more`` says whether to ask again."""
        return await self._client.do(hookcalls.replay_failed(webhook_id, since))
