"""Calls to Gmail by Google's client, in a thread of its own, that neither sleeps nor tries again.

Waiting is the turnstile's, in quota units. What Gmail refuses for its pace is asked again here, of
a batch only the parts that were refused; everything else is an error that says what to do.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import httplib2  # type: ignore[import-untyped]  # no types in it
from googleapiclient.discovery import build  # type: ignore[import-untyped]  # no types in it
from googleapiclient.errors import (  # type: ignore[import-untyped]  # no types in it
    BatchError,
    HttpError,
)
from googleapiclient.http import (  # type: ignore[import-untyped]  # no types in it
    BatchHttpRequest,
    HttpRequest,
)

from connectors.access import Access, Credential, Grant, refusal
from connectors.errors import (
    ArtifactGone,
    Cause,
    ConnectorError,
    ReauthorizationNeeded,
    SourceInvalid,
    SourceRefused,
    SourceUnavailable,
)
from connectors.gmail.protocol import Answer
from connectors.gmail.quota import Call, Prices
from connectors.throttle import Turnstile

R = TypeVar("R")
GOOGLE = "https://gmail.googleapis.com"
_TIMEOUT_SECONDS = 60
_TRIES = 6
_FIRST_WAIT = timedelta(seconds=1)  # the quota is per minute, and refills all the time
_BATCH = 25  # Google advises at most 50, and whole threads are large
_PACE = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "RESOURCE_EXHAUSTED"})
_SPENT = frozenset({"dailyLimitExceeded", "quotaExceeded"})
_SCOPE = frozenset({"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"})


class Ask(Protocol):
    """Makes a request out of the ``users`` resource of Google's client."""

    def __call__(self, users: Any) -> HttpRequest: ...


class PaceRefused(SourceUnavailable):
    """Gmail wants us to be slower, and names no time."""


class Malformed(SourceInvalid):
    """Gmail did not understand the question: a token that it has forgotten, mostly."""


@dataclass(frozen=True, slots=True)
class Question:
    call: Call
    ask: Ask


@dataclass(slots=True)
class Session:
    access: Access
    turnstile: Turnstile
    prices: Prices
    origin: str = GOOGLE
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "gmail"))
    _http: "_Signed | None" = None
    _users: Any = None

    async def one(self, call: Call, ask: Ask) -> Answer:
        """Raises the errors of ``connectors.errors``; ``ArtifactGone`` for what is not there."""
        for _ in range(_TRIES):
            await self.turnstile.turn(self.prices.units[call])
            try:
                answer = await self._signed(lambda: ask(self._users).execute(num_retries=0))
            except PaceRefused as refused:
                self._slow_down(refused)
            else:
                self.turnstile.governor.well()
                return _answer(answer)
        raise SourceUnavailable("Gmail wants fewer requests than we make")

    async def many(self, questions: Mapping[str, Question]) -> dict[str, Answer | ConnectorError]:
        """The answer to each, or its error; none that concerns all of them."""
        answers: dict[str, Answer | ConnectorError] = {}
        for _ in range(_TRIES):
            open_ones = [key for key in questions if key not in answers]
            for start in range(0, len(open_ones), _BATCH):
                await self._batch(questions, open_ones[start : start + _BATCH], answers)
            if len(answers) == len(questions):
                return answers
        late = SourceUnavailable("Gmail did not answer this, though it was asked again")
        return answers | {key: late for key in questions if key not in answers}

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._leave)
        self._thread.shutdown(wait=False)

    async def _batch(
        self,
        questions: Mapping[str, Question],
        keys: Sequence[str],
        answers: dict[str, Answer | ConnectorError],
    ) -> None:
        """Ask these; those that Gmail was too busy for are in no answer."""
        cost = sum(self.prices.units[questions[key].call] for key in keys)
        await self.turnstile.turn(cost)
        try:
            got = await self._signed(lambda: self._together(questions, keys))
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

    def _together(
        self, questions: Mapping[str, Question], keys: Sequence[str]
    ) -> dict[str, Answer | ConnectorError]:
        got: dict[str, Answer | ConnectorError] = {}

        def take(key: str, answer: Answer, error: HttpError | None) -> None:
            got[key] = _answer(answer) if error is None else _translated(error)

        # The batch would go to Google wherever else the API is, if it were not told.
        batch = BatchHttpRequest(take, batch_uri=f"{self.origin}/batch/gmail/v1")
        for key in keys:
            batch.add(questions[key].ask(self._users), request_id=key)
        batch.execute(http=self._http)
        if any(isinstance(each, _Unsigned) for each in got.values()):
            raise _Unsigned
        return got

    def _slow_down(self, refused: SourceUnavailable) -> None:
        clock, governor = self.turnstile.clock, self.turnstile.governor
        if refused.retry_after:
            governor.pause(clock.now() + refused.retry_after)
        else:
            governor.strike(now=clock.now(), least=_FIRST_WAIT)

    async def _signed(self, work: Callable[[], R]) -> R:
        credential = await self.access.credential()
        try:
            return await self._run(credential, work)
        except _Unsigned:
            credential = await self.access.renew(credential)
        try:
            return await self._run(credential, work)
        except _Unsigned:
            raise ReauthorizationNeeded(refusal(credential), "Gmail") from None

    async def _run(self, credential: Credential, work: Callable[[], R]) -> R:
        if not isinstance(credential, Grant):
            raise ReauthorizationNeeded(Cause.MISSING, "Gmail")
        token = credential.access_token.get_secret_value()

        def signed() -> R:
            self._open(token)
            return work()

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, signed)
        except HttpError as error:
            raise _translated(error) from error
        except (httplib2.HttpLib2Error, OSError, BatchError, ValueError) as error:
            # A ValueError is JSON that breaks off, or a page that is none.
            raise SourceUnavailable(f"Gmail broke off: {type(error).__name__}") from error

    def _open(self, token: str) -> None:
        if self._http is None:
            self._http = _Signed()
            options = {"api_endpoint": self.origin}
            service = build(
                "gmail", "v1", http=self._http, static_discovery=True, client_options=options
            )
            self._users = service.users()
        self._http.token = token

    def _leave(self) -> None:
        if self._http is not None:
            self._http.close()


class _Signed(httplib2.Http):  # type: ignore[misc]  # httplib2 has no types
    """Bears the token on every request, goes nowhere else, and uses no proxy by accident."""

    token = ""

    def __init__(self) -> None:
        super().__init__(timeout=_TIMEOUT_SECONDS, proxy_info=None)
        self.follow_redirects = False

    def request(self, uri: str, *args: Any, headers: Any = None, **options: Any) -> Any:
        signed = {**(headers or {}), "authorization": f"Bearer {self.token}"}
        return super().request(uri, *args, headers=signed, **options)


class _Unsigned(ConnectorError):
    """The token was not accepted."""

    def __init__(self) -> None:
        super().__init__("Gmail does not accept the token")


def _answer(answer: Any) -> Answer:
    """Google's client hands on what is no JSON as it is: a page of a proxy, say."""
    if not isinstance(answer, dict):
        raise SourceUnavailable("Gmail answered with something that is not of its own")
    return answer


def _translated(error: HttpError) -> ConnectorError:
    status, reasons = int(error.resp.status), _reasons(error)
    said = f"Gmail answered {status}: {error.reason}"[:300]
    match status:
        case 401:
            return _Unsigned()
        case 404:
            return ArtifactGone("Gmail does not have it any more")
        case 400:
            return Malformed(said)
        case 403 if not reasons & _PACE:
            return _refused(reasons, said)
        case 403 | 429:
            after = error.resp.get("retry-after", "")
            wait = timedelta(seconds=int(after)) if after.isdigit() else None
            return PaceRefused("Gmail wants us to be slower", retry_after=wait)
    return SourceUnavailable(said)


def _refused(reasons: frozenset[str], said: str) -> ConnectorError:
    if reasons & _SCOPE:
        return ReauthorizationNeeded(Cause.SCOPE_REDUCED, "Gmail")
    if "domainPolicy" in reasons:
        return ReauthorizationNeeded(Cause.POLICY_BLOCKED, "Gmail")
    if reasons & _SPENT:
        return SourceUnavailable(said, retry_after=timedelta(hours=1))
    return SourceRefused(said)


def _reasons(error: HttpError) -> frozenset[str]:
    try:
        told = json.loads(error.content)["error"]
        details = [*told.get("errors", ()), *told.get("details", ())]
        return frozenset([told.get("status", ""), *(each.get("reason", "") for each in details)])
    except (ValueError, KeyError, TypeError, AttributeError):
        return frozenset()
