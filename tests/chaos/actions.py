"""The words of the cases: when something is done, and what."""

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
from redis.exceptions import RedisError

from storage.events import RunStatus
from tests.chaos import disk
from tests.chaos.auditor import fingerprint
from tests.chaos.case import RECOVERY_SECONDS
from tests.chaos.proxy import Proxy
from tests.chaos.rig import Script
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.chaos.play import Play

ANSWER_SECONDS = 60.0
"""More than two waits for the write lock of SQLite, one after the other."""

Action = Callable[["Play", str], Awaitable[None]]
Condition = Callable[["Play", str], Awaitable[bool]]


async def _now(_: "Play", __: str) -> bool:
    return True


async def _after(play: "Play", seconds: str) -> bool:
    return time.monotonic() - play.since >= float(seconds)


async def _found(play: "Play", number: str) -> bool:
    return (await play.row()).counts.found >= int(number)


async def _processed(play: "Play", number: str) -> bool:
    return (await play.row()).counts.processed >= int(number)


async def _attempt(play: "Play", number: str) -> bool:
    return (await play.row()).attempt >= int(number)


async def _status(play: "Play", status: str) -> bool:
    return (await play.row()).status is RunStatus(status)


async def _over(play: "Play", _: str) -> bool:
    return await play.is_over()


async def _dead(play: "Play", name: str) -> bool:
    return any(death.worker == name for death in play.stack.deaths)


async def _heard(play: "Play", number: str) -> bool:
    """The reader that is never cut off has so many events."""
    return play.watchers[1].events >= int(number)


async def _said(play: "Play", given: str) -> bool:
    """A worker's log has the words: ``said a attempt.superseded``."""
    name, _, words = given.partition(" ")
    logs = play.stack.logs.glob(f"worker-{name}.*.log")
    return any(words in log.read_text(errors="replace") for log in logs)


async def _waits(play: "Play", code: str) -> bool:
    """The reader that is never cut off is shown that the run waits, and for what."""
    state = play.watchers[1].state
    return state.get("status") == "waiting" and (state.get("reason") or {}).get("code") == code


CONDITIONS: Mapping[str, Condition] = {
    "now": _now,
    "after": _after,
    "found": _found,
    "processed": _processed,
    "attempt": _attempt,
    "status": _status,
    "over": _over,
    "dead": _dead,
    "heard": _heard,
    "said": _said,
    "waits": _waits,
}


async def _signal(play: "Play", name: str, number: signal.Signals) -> None:
    match name:
        case "api":
            play.stack.kill_api()
        case "redis":
            if number is signal.SIGKILL:
                await play.stack.kill_redis()
            else:
                play.stack.freeze_redis(number)
        case _ if name in play.stack.workers:
            play.stack.worker(name, number)


async def _kill(play: "Play", name: str) -> None:
    await _signal(play, name, signal.SIGKILL)


async def _stop(play: "Play", name: str) -> None:
    await _signal(play, name, signal.SIGSTOP)


async def _continue(play: "Play", name: str) -> None:
    await _signal(play, name, signal.SIGCONT)


async def _term(play: "Play", name: str) -> None:
    await _signal(play, name, signal.SIGTERM)


async def _start(play: "Play", name: str) -> None:
    match name:
        case "redis":
            await play.stack.start_redis()
        case "api":
            await play.stack.start_api()
        case _ if name not in play.stack.workers:
            play.stack.start_worker(name)


async def _leave(play: "Play", _: str) -> None:
    """From here on nobody starts again what has ended."""
    play.stack.supervised = False


async def _mind(play: "Play", _: str) -> None:
    play.stack.supervised = True
    for name in play.stack.ended.keys() - play.stack.workers.keys() - {"first"}:
        play.stack.start_worker(name)


@asynccontextmanager
async def _if_it_lives() -> AsyncGenerator[None]:
    """A random case may ask something of a Redis that it has killed, or frozen."""
    with suppress(RedisError, TimeoutError):
        async with asyncio.timeout(1):
            yield


async def _flush(play: "Play", _: str) -> None:
    async with _if_it_lives():
        await play.stack.redis.flushall()


async def _wipe(play: "Play", _: str) -> None:
    await play.stack.wipe_redis()


async def _evict(play: "Play", which: str) -> None:
    """Redis throws one of the run's two keys away."""
    async with _if_it_lives():
        await play.stack.redis.delete(f"hw:{{{play.run}}}:{which}")


async def _trim(play: "Play", _: str) -> None:
    async with _if_it_lives():
        await play.stack.redis.xtrim(f"hw:{{{play.run}}}:events", maxlen=2, approximate=False)


async def _fill(play: "Play", what: str) -> None:
    if what == "disk":
        disk.fill(play.stack.place / "disk")
    else:
        await play.stack.redis.config_set("maxmemory", "1mb")


async def _room(play: "Play", what: str) -> None:
    if what == "disk":
        disk.make_room(play.stack.place / "disk")
    else:
        await play.stack.redis.config_set("maxmemory", "0")


async def _seen(play: "Play", _: str) -> None:
    """What is there can be read, whatever is wrong."""
    response = await play.stack.http.get(f"{play.stack.url}/v1/search", params={"q": "river"})
    if not response.is_success or not response.json()["items"]:
        await play.blame(f"reads: a search was answered {response.status_code}")


async def _replica(play: "Play", _: str) -> None:
    """Redis refuses writes, as a replica does after a fail-over."""
    await play.stack.redis.config_set("min-replicas-to-write", "1")


async def _primary(play: "Play", _: str) -> None:
    await play.stack.redis.config_set("min-replicas-to-write", "0")


async def _demote(play: "Play", _: str) -> None:
    """It follows a primary that is not there, and refuses writes (``-READONLY``)."""
    await play.stack.redis.slaveof("127.0.0.1", 1)


async def _promote(play: "Play", _: str) -> None:
    await play.stack.redis.slaveof()


async def _proxy(proxy: Proxy, how: str) -> None:
    word, _, argument = how.partition(" ")
    match word:
        case "refuse":
            proxy.refuse()
        case "blackhole":
            proxy.blackhole()
        case "reset":
            proxy.reset()
        case "slow":
            proxy.latency_seconds = float(argument)
        case "cut":
            proxy.cut(int(argument))
        case "heal":
            proxy.heal()
        case _:
            raise ValueError(how)


async def _redis(play: "Play", how: str) -> None:
    await _proxy(play.stack.redis_proxy, how)


async def _database(play: "Play", how: str) -> None:
    assert play.stack.database_proxy is not None, "SQLite has no network"
    await _proxy(play.stack.database_proxy, how)


async def _lock(play: "Play", _: str) -> None:
    await play.stack.lock_database()


async def _unlock(play: "Play", _: str) -> None:
    play.stack.unlock_database()


async def _change(play: "Play", _: str) -> None:
    play.source.change()


async def _lose(play: "Play", share: str) -> None:
    play.source.lose(float(share))


async def _poison(play: "Play", _: str) -> None:
    play.source.poison()


async def _tell(play: "Play", script: str) -> None:
    play.source.tell(Script.model_validate_json(script))


async def _ask(play: "Play", _: str) -> None:
    """Somebody asks for a run while one is under way: they get that one, or hear: not now."""
    given: list[UUID] = []

    async def heard() -> bool:
        with suppress(httpx.HTTPError):
            url = f"{play.stack.url}/v1/connections/{play.connection}/runs"
            response = await play.stack.http.post(url, timeout=ANSWER_SECONDS)
            if response.is_success:
                given.append(UUID(response.json()["run"]["id"]))
            # The database may be locked, by us or by a worker that we froze.
            return response.is_success or response.status_code == httpx.codes.SERVICE_UNAVAILABLE
        return False

    await wait_until(heard, within_seconds=ANSWER_SECONDS)
    if given and given[0] != play.run and not await play.is_over():
        await play.blame(f"I6 a second run {given[0]} began beside {play.run}")


async def _wish(play: "Play", wish: str) -> None:
    """Ask the api for it until it was heard: a request that was cut off is repeated."""

    async def heard() -> bool:
        """Also a no is an answer: the run may be over."""
        with suppress(httpx.HTTPError):
            response = await play.stack.http.post(f"{play.stack.url}/v1/runs/{play.run}/{wish}")
            return response.is_success or response.status_code == httpx.codes.CONFLICT
        return False

    # A frozen worker may hold the run's row until the database ends its transaction.
    await wait_until(heard, within_seconds=RECOVERY_SECONDS)


async def _note(play: "Play", _: str) -> None:
    play.noted = await fingerprint(play.stack.database)


async def _same(play: "Play", _: str) -> None:
    if await fingerprint(play.stack.database) != play.noted:
        await play.blame("I6 somebody wrote who may not write any more")


async def _exited(play: "Play", given: str) -> None:
    """The worker ends by itself with this code: ``exited a 0``."""
    name, _, code = given.partition(" ")
    await wait_until(lambda: name in play.stack.ended, within_seconds=30)
    if (was := play.stack.ended[name].code) != int(code):
        await play.blame(f"drain: the worker ended with {was} and not with {code}")


ACTIONS: Mapping[str, Action] = {
    "kill": _kill,
    "stop": _stop,
    "continue": _continue,
    "term": _term,
    "start": _start,
    "leave": _leave,
    "mind": _mind,
    "flush": _flush,
    "wipe": _wipe,
    "evict": _evict,
    "trim": _trim,
    "fill": _fill,
    "room": _room,
    "seen": _seen,
    "replica": _replica,
    "primary": _primary,
    "demote": _demote,
    "promote": _promote,
    "redis": _redis,
    "database": _database,
    "lock": _lock,
    "unlock": _unlock,
    "change": _change,
    "lose": _lose,
    "poison": _poison,
    "tell": _tell,
    "ask": _ask,
    "wish": _wish,
    "note": _note,
    "same": _same,
    "exited": _exited,
}
