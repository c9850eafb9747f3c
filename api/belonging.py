"""What a narrowed caller may name: an owner's things, or some runs.

It is looked into before a route, for every id in its path, so that no route can forget it. What is
somebody else's is answered as what does not exist, in the same words.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

from api.callers import Caller
from api.problems import Code, Problem
from storage import artifacts, connecting, connections, deletions, erasing, runs
from storage.connecting import SessionId
from storage.database import Database, Tx
from storage.ids import ArtifactId, ConnectionId, RunId

NEUTRAL = frozenset({"name"})
"""Parameters of paths that name nobody's things, such as a workflow."""

HIGHEST = 2**63 - 1
Owner = Callable[[Tx, Caller, str], Awaitable[str | None]]


async def check(database: Database, caller: Caller, named: Mapping[str, Any]) -> None:
    """Raise ``Problem`` unless all that is ``named`` is among what the caller is narrowed to."""
    if not caller.narrowed:
        return
    _check_runs(caller, named)
    if caller.owner is None:
        return
    async with database.reading() as tx:
        for name, value in named.items():
            if name in OWNERS and await OWNERS[name][1](tx, caller, str(value)) != caller.owner:
                raise absent(OWNERS[name][0], str(value))


def owner_of(caller: Caller, wanted: str | None) -> str | None:
    """The owner that a list or a new thing is for: the caller's own, or the one it names."""
    if caller.owner is None or wanted is None or wanted == caller.owner:
        return wanted if caller.owner is None else caller.owner
    raise Problem(Code.NOT_ALLOWED, "The key or token is for another owner.")


def absent(kind: str, value: str) -> Problem:
    return Problem(Code.NOT_FOUND, f"There is no {kind} {value}.")


def _check_runs(caller: Caller, named: Mapping[str, Any]) -> None:
    if caller.runs is None:
        return
    if "run_id" not in named:
        raise Problem(Code.NOT_ALLOWED, "The token is for some runs alone.")
    if _uuid(str(named["run_id"])) not in caller.runs:
        raise absent("run", str(named["run_id"]))


async def _of_connection(tx: Tx, caller: Caller, value: str) -> str | None:
    found = await connections.get(tx, caller.tenant, ConnectionId(_uuid(value)))
    return None if found is None else found.owner


async def _of_run(tx: Tx, caller: Caller, value: str) -> str | None:
    found = await runs.get(tx, caller.tenant, RunId(_uuid(value)))
    return None if found is None else found.owner


async def _of_artifact(tx: Tx, caller: Caller, value: str) -> str | None:
    number = int(value) if value.isascii() and value.isdigit() else 0
    if not 0 < number <= HIGHEST:
        raise absent("artifact", value)
    found = await artifacts.get(tx, caller.tenant, ArtifactId(number))
    return None if found is None else await _of_connection(tx, caller, str(found.connection))


async def _of_session(tx: Tx, caller: Caller, value: str) -> str | None:
    found = await connecting.show(tx, caller.tenant, SessionId(_uuid(value)))
    return None if found is None else found.owner


async def _of_deletion(tx: Tx, caller: Caller, value: str) -> str | None:
    found = await deletions.get(tx, caller.tenant, _uuid(value))
    return None if found is None else await _of_connection(tx, caller, str(found.connection))


async def _of_erasure(tx: Tx, caller: Caller, value: str) -> str | None:
    """It names nobody, but knows whose it is."""
    found = await erasing.get(tx, caller.tenant, _uuid(value))
    theirs = found is not None and caller.owner is not None and found.is_of(caller.owner)
    return caller.owner if theirs else None


async def _of_the_tenant(tx: Tx, caller: Caller, value: str) -> str | None:  # noqa: ARG001  # an Owner
    """No owner's: who is narrowed to one sees none of these."""
    return None


OWNERS: Mapping[str, tuple[str, Owner]] = {
    "connection_id": ("connection", _of_connection),
    "run_id": ("run", _of_run),
    "artifact_id": ("artifact", _of_artifact),
    "session_id": ("connect session", _of_session),
    "deletion_id": ("deletion", _of_deletion),
    "erasure_id": ("erasure", _of_erasure),
    "key_id": ("key", _of_the_tenant),
    "webhook_id": ("webhook", _of_the_tenant),
    "delivery_id": ("delivery", _of_the_tenant),
}
"""By parameter of a path: what it is called, and whose it is."""


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        return UUID(int=0)  # no id at all: there is no such thing
