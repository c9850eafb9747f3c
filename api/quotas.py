"""How much one tenant may ask of this process at once and in a minute, so that others get theirs.

Each process of the api counts for itself, in memory: an answer waits for no other server, and
nothing has to be there for it. Behind a load balancer a tenant's share is that of all of them.
Requests of one-machine mode have no key and are not counted.

Each answer says what is left, in the fields of draft-ietf-httpapi-ratelimit-headers-10. The bucket
of a minute's requests fills up evenly: ``t`` is when it would be full again.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic

from api.problems import Code, Problem
from api.settings import Share
from storage.ids import TenantId

WINDOW_SECONDS = 60
FORGET_ABOVE = 10_000


@dataclass(slots=True)
class Use:
    """What a tenant has left of its minute, and has going on."""

    left: float
    seen_at: float
    working: int = 0
    listening: int = 0


@dataclass(slots=True)
class Seat:
    """One request that was let in. It is given back when its answer begins, or ends."""

    use: Use
    stream: bool
    headers: Mapping[str, str]
    _working: bool = True

    def answering(self) -> None:
        if self._working:
            self._working = False
            self.use.working -= 1

    def leave(self) -> None:
        self.answering()
        if self.stream:
            self.stream = False
            self.use.listening -= 1


@dataclass(slots=True)
class Quotas:
    share: Share = field(default_factory=Share)
    clock: Callable[[], float] = monotonic
    _uses: dict[TenantId, Use] = field(init=False, default_factory=dict[TenantId, Use])

    def admit(self, tenant: TenantId, *, stream: bool) -> Seat:
        """Let a request in. Raises ``Problem``: 429, with when to come again."""
        use = self._use(tenant)
        if use.left < 1:
            wait = math.ceil((1 - use.left) / self._rate)
            detail = f"More than {self.share.a_minute:,} requests came in a minute."
            raise self._refusal(use, detail, seconds=wait)
        if use.working >= self.share.at_once:
            detail = f"{self.share.at_once:,} requests are worked on already."
            raise self._refusal(use, detail, seconds=1)
        if stream and use.listening >= self.share.streams:
            detail = f"{self.share.streams:,} streams are open already."
            raise self._refusal(use, detail, seconds=5)
        use.left -= 1
        use.working += 1
        use.listening += stream
        return Seat(use, stream, self._told(use))

    @property
    def _rate(self) -> float:
        return self.share.a_minute / WINDOW_SECONDS

    def _use(self, tenant: TenantId) -> Use:
        moment, full = self.clock(), float(self.share.a_minute)
        use = self._uses.get(tenant)
        if use is None:
            self._forget(moment)
            use = self._uses[tenant] = Use(full, moment)
        use.left = min(full, use.left + (moment - use.seen_at) * self._rate)
        use.seen_at = moment
        return use

    def _forget(self, moment: float) -> None:
        """Who has asked for nothing for a whole window has a full bucket again, as if new."""
        if len(self._uses) < FORGET_ABOVE:
            return
        for tenant, use in list(self._uses.items()):
            idle = not use.working and not use.listening
            if idle and moment - use.seen_at > WINDOW_SECONDS:
                del self._uses[tenant]

    def _told(self, use: Use) -> Mapping[str, str]:
        full_in = math.ceil((self.share.a_minute - use.left) / self._rate)
        return {
            "RateLimit-Policy": f'"default";q={self.share.a_minute};w={WINDOW_SECONDS}',
            "RateLimit": f'"default";r={int(use.left)};t={full_in}',
        }

    def _refusal(self, use: Use, detail: str, *, seconds: int) -> Problem:
        headers = {**self._told(use), "Retry-After": str(seconds)}
        return Problem(Code.TOO_MANY_REQUESTS, detail, headers=headers)
