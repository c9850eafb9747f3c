"""Who asks, what they may do, and what of the tenant's they see."""

from dataclasses import dataclass

from storage.ids import LOCAL_TENANT, KeyId, RunId, TenantId
from storage.keys import Key
from storage.passes import Pass
from storage.scopes import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """``owner`` and ``runs`` are what it is narrowed to, None: to nothing."""

    tenant: TenantId
    scopes: frozenset[Scope]
    owner: str | None = None
    runs: frozenset[RunId] | None = None
    key: KeyId | None = None
    origin: str | None = None

    @property
    def narrowed(self) -> bool:
        return self.owner is not None or self.runs is not None


LOCAL = Caller(tenant=LOCAL_TENANT, scopes=frozenset(Scope))
"""Whoever reaches a server that only this machine can reach, and that asks nobody for a key."""


def of_key(key: Key) -> Caller:
    return Caller(tenant=key.tenant, scopes=key.scopes, owner=key.owner, key=key.id)


def of_pass(given: Pass) -> Caller:
    return Caller(
        tenant=given.tenant,
        scopes=given.scopes,
        owner=given.owner,
        runs=given.runs,
        key=given.key,
        origin=given.origin,
    )
