"""Hints on their way in: verified, then kept, those that come at once in one transaction.

A storm of them is a few writes a second, however many connections it is about.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from api.problems import Code, Problem
from connectors import catalog
from connectors.egress import Exceptions, excepting
from connectors.errors import SourceUnavailable
from connectors.hearing import Ear, Forged, Hearing, HintSettings, Told, Unset
from storage import hints
from storage.clock import shared_now
from storage.database import Database
from storage.hints import Heard, Subject

MOST_AT_ONCE = 1_000


@dataclass(slots=True)
class Letter:
    """``refused`` is why it could not be kept."""

    heard: Heard
    kept: bool = False
    refused: Exception | None = None

    def is_open(self) -> bool:
        return not self.kept and self.refused is None


@dataclass(slots=True)
class Letterbox:
    database: Database
    settings: HintSettings
    egress: Exceptions
    _ears: dict[str, Ear] = field(default_factory=dict[str, Ear])
    _waiting: list[Letter] = field(default_factory=list[Letter])
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def take(self, kind: str, headers: Mapping[str, str], body: bytes) -> None:
        """Verify a hint, and keep it if it concerns anybody. Raises ``Problem``."""
        ear = self._ear(kind)
        try:
            with excepting(self.egress):
                told = await ear.hear(headers, body)
        except Forged as error:
            raise Problem(Code.FORGED, str(error)) from None
        except SourceUnavailable as error:
            raise Problem(Code.NOT_READY, f"{error}.", action="Send it again.") from None
        if told is not None:
            await self._keep(_heard(kind, told))

    def _ear(self, kind: str) -> Ear:
        if kind not in self._ears:
            spec = catalog.specs().get(kind)
            if spec is None or spec.hearing is None:
                raise Problem(Code.NOT_FOUND, f"No hints of the kind {kind!r} are taken.")
            self._ears[kind] = self._opened(spec.title, spec.hearing)
        return self._ears[kind]

    def _opened(self, title: str, hearing: Hearing) -> Ear:
        try:
            return hearing.open(self.settings)
        except Unset as error:
            names = " and ".join(error.settings)
            raise Problem(
                Code.NOT_FOUND,
                f"Hints of {title} are not taken here: {names} is not set.",
                action=f"Set {names}, as docs/operations.md says, or let schedules look.",
            ) from None

    async def _keep(self, heard: Heard) -> None:
        """Whoever has the turn keeps all that wait for it. Raises why it could not be kept."""
        letter = Letter(heard)
        self._waiting.append(letter)
        async with self._turn:
            while letter.is_open():
                await self._keep_some()
        if letter.refused is not None:
            raise letter.refused

    async def _keep_some(self) -> None:
        some = self._waiting[:MOST_AT_ONCE]
        try:
            async with self.database.reading() as tx:
                moment = await shared_now(tx)
            await hints.take(self.database, [each.heard for each in some], moment=moment)
        except Exception as error:  # noqa: BLE001  # it travels to each who waits for it
            for each in some:
                each.refused = error
        else:
            for each in some:
                each.kept = True
        del self._waiting[: len(some)]


def _heard(kind: str, told: Told) -> Heard:
    subject = Subject(
        kind=kind, account=told.account, chooses=told.chooses, name=told.name, mark=told.mark
    )
    return Heard.of(subject, told.known_by, told.position)
