"""What every connector promises, as checks that any connector can be put through.

The author supplies a ``World``: a small source that can be changed. Each promise gets a fresh one,
and raises ``PromiseBroken``, or what the connector raised, if it is not kept. ``verify`` runs them
all; with pytest, make ``PROMISES`` the parameters of one test.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager

from connectors.artifact import Ref, whole_of
from connectors.connector import Connector, Content, Probe
from connectors.errors import ArtifactGone, ConnectorError, CursorExpired, ReauthorizationNeeded
from connectors.events import (
    CensusComplete,
    Checkpoint,
    Event,
    Failed,
    Seen,
    Skipped,
    Total,
)
from connectors.world import World, artifacts, checkpoints, outcomes, refs, versions

MAX_CURSOR_BYTES = 65_536
MAX_ID_BYTES = 2_000


class PromiseBroken(AssertionError):
    """The connector does not do what the contract says."""


Promise = Callable[[World], Awaitable[None]]


async def verify(world: Callable[[], AbstractAsyncContextManager[World]]) -> None:
    """Put a connector through all promises, each in a world of its own."""
    for promise in PROMISES:
        async with world() as fresh:
            await promise(fresh)


async def check_answers_with_probes(world: World) -> None:
    """``check`` raises nothing: a bad source is a bad probe that says what to do."""
    async with world.open() as connector:
        for probe in await _bad(connector):
            raise PromiseBroken(f"{probe.name} finds a good source bad: {probe.detail}")
    if world.nowhere is None:
        return
    async with world.spec.open(world.nowhere, world.access) as connector:
        bad = await _bad(connector)
    _hold(bool(bad), "no probe finds the source bad that is not there")
    advised = all(probe.detail and probe.action for probe in bad)
    _hold(advised, "a bad probe does not say what to do")


async def plan_names_the_partition(world: World) -> None:
    async with world.open() as connector:
        keys = [partition.key for partition in (await connector.plan()).partitions]
    _hold(world.partition in keys, f"{world.partition} is not in the plan, which has {keys}")
    _hold(len(set(keys)) == len(keys), "the plan names a partition twice")


async def reading_is_repeatable(world: World) -> None:
    """The same source is told twice in the same words and order: resuming relies on it."""
    _hold(await world.read() == await world.read(), "two reads of the same source differ")


async def reading_ends_with_its_last_checkpoint(world: World) -> None:
    events = await world.read()
    done = [checkpoint for checkpoint in checkpoints(events) if checkpoint.done]
    _hold(len(done) == 1, f"{len(done)} checkpoints say that they are the last")
    _hold(events[-1] == done[0], "something follows the last checkpoint")


async def ids_can_be_stored(world: World) -> None:
    seen: set[Ref] = set()
    for ref in refs(outcomes(await world.read())):
        _hold(ref not in seen, f"{ref.external_id!r} is told twice in one read")
        _hold(ref.partition == world.partition, f"{ref.external_id!r} is of another partition")
        _hold(ref.external_id.isprintable(), f"{ref.external_id!r} cannot be printed")
        _hold(whole_of(ref.external_id) == ref.external_id, "an id reads like a part of another")
        size = len(ref.external_id.encode(errors="surrogatepass"))
        _hold(0 < size <= MAX_ID_BYTES, f"an id is {size} bytes long")
        seen.add(ref)


async def totals_add_up(world: World) -> None:
    events = await world.read()
    totals = [event for event in events if isinstance(event, Total)]
    exact = [event.artifacts for event in totals if event.exact]
    told = len(outcomes(events))
    _hold(not exact or exact[-1] == told, f"the total says {exact[-1:]}, but {told} are told")


async def failures_say_what_to_do(world: World) -> None:
    if world.interrupt:
        await world.interrupt()
    for event in await world.read():
        if isinstance(event, Failed):
            _hold(bool(event.detail and event.action), "a failure does not say what to do")


async def crash_after_any_event_loses_nothing(world: World) -> None:
    """From the last checkpoint on, all that is missing comes, and nothing that was covered."""
    whole = await world.read()
    everything = set(refs(outcomes(whole)))
    for stop in range(1, len(whole) + 1):
        covered, last = _kept(await world.read(stop=stop))
        finished = last is not None and last.done
        rest = [] if finished else await world.read(last.cursor if last else None)
        after = set(refs(outcomes(rest)))
        _hold(not covered & after, f"after event {stop}, {_some(covered & after)} comes again")
        lost = everything - covered - after
        _hold(not lost, f"after a crash at event {stop}, {_some(lost)} is lost")


async def cursors_are_small(world: World) -> None:
    """A cursor is a place, not a list of what was seen, and survives being stored."""
    events = await world.read()
    ids = {ref.external_id for ref in refs(outcomes(events))}
    for cursor in (checkpoint.cursor for checkpoint in checkpoints(events)):
        stored = cursor.model_dump_json()
        size = len(stored.encode())
        _hold(size <= MAX_CURSOR_BYTES, f"a cursor is {size} bytes long")
        _hold(len(ids.intersection(_strings(json.loads(stored)))) <= 2, "a cursor lists ids")  # noqa: PLR2004  # a place may lie between two
        _hold(world.stored(cursor) == cursor, "a cursor changes when it is stored")


async def finished_cursor_begins_anew(world: World) -> None:
    """After the last checkpoint, what changes later is told: by a change feed or all of it."""
    finished = checkpoints(await world.read())[-1].cursor
    edited = await world.edit()
    told = {ref.external_id for ref in refs(outcomes(await world.read(finished)))}
    _hold(edited in told, f"{edited} was changed after a finished read, and is not told")


async def expired_cursor_says_so(world: World) -> None:
    if world.expire is None:
        return
    events = await world.read()
    cursors = [checkpoint.cursor for checkpoint in checkpoints(events) if not checkpoint.done]
    _hold(bool(cursors), "the world is too small: a read of it has no checkpoint in the middle")
    await world.expire()
    try:
        await world.read(cursors[0])
    except CursorExpired:
        _hold(bool(outcomes(await world.read())), "nothing is told to a read that begins anew")
        return
    raise PromiseBroken("a cursor that the source forgot was taken as if nothing had happened")


async def versions_change_with_the_content(world: World) -> None:
    before = versions(await world.read())
    edited = await world.edit()
    after = versions(await world.read())
    changed = {name for name, version in after.items() if before.get(name) != version}
    _hold(edited in changed, f"{edited} was changed, its version was not")
    _hold(changed == {edited}, f"{_some(changed - {edited})} has a new version and no new content")


async def fetch_answers_every_ref(world: World) -> None:
    """Each ref asked for has an answer, asked once or twice, now or again."""
    told = [artifact.ref for artifact in artifacts(await world.read())]
    async with world.open() as connector:
        first = await connector.fetch(told)
        second = await connector.fetch([*told, *told])
    _hold(set(first) == set(told), "the answer is not about the refs that were asked for")
    _hold(dict(first) == dict(second), "asking twice gives another answer")
    wrong = [type(got) for got in first.values() if not isinstance(got, bytes | Content | Skipped)]
    _hold(not wrong, f"what was just told cannot be fetched: {wrong[:3]}")


async def fetch_of_what_vanished_says_so(world: World) -> None:
    known = [artifact.ref for artifact in artifacts(await world.read())]
    gone = Ref(world.partition, await world.remove())
    async with world.open() as connector:
        fetched = await connector.fetch([*known, gone])
    _hold(
        isinstance(fetched.get(gone), ArtifactGone),
        f"what is gone is fetched as {fetched.get(gone)!r}",
    )
    bad = [ref for ref in known if ref != gone and isinstance(fetched[ref], ConnectorError)]
    _hold(not bad, f"one that is gone spoils {_some(bad)}")


async def census_is_what_is_there(world: World) -> None:
    told = versions(await world.read())
    listed = await world.census()
    seen = {event.ref.external_id: event.version for event in listed if isinstance(event, Seen)}
    _hold(seen == told, "the census and a read from the start differ")
    _hold(listed[-1:] == [CensusComplete(len(seen))], "the census does not end with its number")


async def census_forgets_what_is_removed(world: World) -> None:
    await world.read()
    removed = await world.remove()
    seen = {event.ref.external_id for event in await world.census() if isinstance(event, Seen)}
    _hold(removed not in seen, f"{removed} is removed, and the census still lists it")


async def interrupted_census_is_not_complete(world: World) -> None:
    """A listing that failed anywhere says nothing about what is absent."""
    if world.interrupt is None:
        return
    await world.interrupt()
    try:
        listed = await world.census()
    except ConnectorError:
        return
    ended = any(isinstance(event, CensusComplete) for event in listed)
    _hold(not ended, "a census that could not see everything calls itself complete")


async def refused_credential_is_renewed(world: World) -> None:
    """A credential that is outdated costs its owner nothing: it is renewed, and reading goes on."""
    if world.outdate is None:
        return
    whole = await world.read()
    await world.outdate()
    try:
        _hold(await world.read() == whole, "with a renewed credential, something else is told")
    except ReauthorizationNeeded as error:
        raise PromiseBroken("the owner is asked though the credential can be renewed") from error


async def dead_credential_asks_its_owner(world: World) -> None:
    """Nobody but the owner can help: no fewer artifacts, no failed ones, no crash tells of it."""
    if world.revoke is None:
        return
    await world.revoke()
    async with world.open() as connector:
        bad = await _bad(connector)
    _hold(bool(bad), "no probe finds the credential bad")
    for look in (world.read, world.census):
        try:
            await look()
        except ReauthorizationNeeded:
            continue
        raise PromiseBroken("a source that lets nobody in is read all the same")


PROMISES: Sequence[Promise] = (
    check_answers_with_probes,
    plan_names_the_partition,
    reading_is_repeatable,
    reading_ends_with_its_last_checkpoint,
    ids_can_be_stored,
    totals_add_up,
    failures_say_what_to_do,
    crash_after_any_event_loses_nothing,
    cursors_are_small,
    finished_cursor_begins_anew,
    expired_cursor_says_so,
    versions_change_with_the_content,
    fetch_answers_every_ref,
    fetch_of_what_vanished_says_so,
    census_is_what_is_there,
    census_forgets_what_is_removed,
    interrupted_census_is_not_complete,
    refused_credential_is_renewed,
    dead_credential_asks_its_owner,
)


def _hold(kept: object, otherwise: str) -> None:
    if not kept:
        raise PromiseBroken(otherwise)


async def _bad(connector: Connector) -> list[Probe]:
    return [probe for probe in await connector.check() if not probe.well]


def _kept(events: Sequence[Event]) -> tuple[set[Ref], Checkpoint | None]:
    """What the runtime still has after a crash: all up to the last checkpoint, and that one."""
    for end in range(len(events) - 1, -1, -1):
        event = events[end]
        if isinstance(event, Checkpoint):
            return set(refs(outcomes(events[:end]))), event
    return set(), None


def _strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _strings(each)
        case dict():
            yield from _strings([*value, *value.values()])
        case _:
            return


def _some(things: Iterable[Ref | str]) -> str:
    names = sorted(each.external_id if isinstance(each, Ref) else each for each in things)
    return ", ".join(names[:3])
