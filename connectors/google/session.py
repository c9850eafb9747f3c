"""Calls to Google by its own client, in threads of their own, that neither sleep nor try again.

Waiting is the turnstile's, in quota units. What Google refuses for its pace is asked again here, of
a batch only the parts that were refused; everything else is an error that says what to do.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import httpx
from googleapiclient.errors import (  # type: ignore[import-untyped]  # no types in it
    BatchError,
    HttpError,
)

from connectors.access import Access, Credential, Grant, refusal
from connectors.errors import (
    Cause,
    ConnectorError,
    ReauthorizationNeeded,
    SourceUnavailable,
)
from connectors.google.client import Ask, Client, Clients, Question
from connectors.google.refusals import (
    Answer,
    Api,
    PaceRefused,
    Unsigned,
    answered,
    translated,
)
from connectors.throttle import Turnstile

R = TypeVar("R")
_TRIES = 6
_FIRST_WAIT = timedelta(seconds=1)  # the quota is per minute, and refills all the time
_BATCH = 25  # Google advises at most 50, and whole threads are large


@dataclass(slots=True)
class Session:
    api: Api
    access: Access
    turnstile: Turnstile
    _clients: Clients = field(init=False)

    def __post_init__(self) -> None:
        self._clients = Clients(self.api)

    async def one(self, cost: int, ask: Ask) -> Answer:
        """Raises the errors of ``connectors.errors``; ``ArtifactGone`` for what is not there."""
        return answered(self.api, await self._patiently(cost, ask))

    async def download(self, cost: int, ask: Ask) -> bytes:
        """What is no JSON, as it is. Raises as ``one`` does, for what is asked for several times.

        Google may fail at one file for good, and the others are well.
        """
        got = await self._patiently(cost, ask, again=SourceUnavailable)
        if not isinstance(got, bytes):
            raise SourceUnavailable(f"{self.api.title} answered with something else than a file")
        return got

    async def _patiently(
        self, cost: int, ask: Ask, *, again: type[SourceUnavailable] = PaceRefused
    ) -> Any:
        refused: SourceUnavailable | None = None
        for _ in range(_TRIES):
            await self.turnstile.turn(cost)
            try:
                answer = await self._signed(
                    lambda client: ask(client.service).execute(num_retries=0)
                )
            except again as error:
                refused = error
                self._slow_down(refused)
            else:
                self.turnstile.governor.well()
                return answer
        if refused is not None and not isinstance(refused, PaceRefused):
            raise refused
        raise SourceUnavailable(f"{self.api.title} wants fewer requests than we make")

    async def many(self, questions: Mapping[str, Question]) -> dict[str, Answer | ConnectorError]:
        """The answer to each, or its error; none that concerns all of them."""
        answers: dict[str, Answer | ConnectorError] = {}
        for _ in range(_TRIES):
            open_ones = [key for key in questions if key not in answers]
            for start in range(0, len(open_ones), _BATCH):
                await self._batch(questions, open_ones[start : start + _BATCH], answers)
            if len(answers) == len(questions):
                return answers
        late = SourceUnavailable(f"{self.api.title} did not answer this, though asked again")
        return answers | {key: late for key in questions if key not in answers}

    async def close(self) -> None:
        await self._clients.close()

    async def _batch(
        self,
        questions: Mapping[str, Question],
        keys: Sequence[str],
        answers: dict[str, Answer | ConnectorError],
    ) -> None:
        """Ask these; those that Google was too busy for are in no answer."""
        await self.turnstile.turn(sum(questions[key].cost for key in keys))
        try:
            got = await self._signed(lambda client: client.together(questions, keys))
        except PaceRefused as refused:
            self._slow_down(refused)
            return
        again = [error for error in got.values() if isinstance(error, SourceUnavailable)]
        if again:
            self._slow_down(again[0])
        else:
            self.turnstile.governor.well()
        for key, answer in got.items():
            if isinstance(answer, ReauthorizationNeeded):
                raise answer
            if not isinstance(answer, SourceUnavailable):
                answers[key] = answer

    def _slow_down(self, refused: SourceUnavailable) -> None:
        clock, governor = self.turnstile.clock, self.turnstile.governor
        if refused.retry_after:
            governor.pause(clock.now() + refused.retry_after)
        else:
            governor.strike(now=clock.now(), least=_FIRST_WAIT)

    async def _signed(self, work: Callable[[Client], R]) -> R:
        credential = await self.access.credential()
        try:
            return await self._run(credential, work)
        except Unsigned:
            credential = await self.access.renew(credential)
        try:
            return await self._run(credential, work)
        except Unsigned:
            raise ReauthorizationNeeded(refusal(credential), self.api.title) from None

    async def _run(self, credential: Credential, work: Callable[[Client], R]) -> R:
        if not isinstance(credential, Grant):
            raise ReauthorizationNeeded(Cause.MISSING, self.api.title)
        try:
            return await self._clients.run(credential.access_token.get_secret_value(), work)
        except HttpError as error:
            raise translated(self.api, error) from error
        except (httpx.HTTPError, OSError, BatchError, ValueError) as error:
            # A ValueError is JSON that breaks off, or a page that is none.
            raise SourceUnavailable(
                f"{self.api.title} broke off: {type(error).__name__}"
            ) from error
