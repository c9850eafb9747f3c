"""What is asked of a run and of the fleet at a terminal: a process against a real server."""

import json
from pathlib import Path

import httpx
import pytest

from storage import connections, credentials, questions, workers
from storage.credentials import Vault
from storage.database import Database
from storage.events import EventKind, EventLog
from storage.ids import LOCAL_TENANT, new_id
from storage.sealed import Keyring
from tests.acceptance.headwater import Ended, Machine
from tests.asked import failed, found
from tests.questioned import asks
from tests.serving import Served, Story

pytestmark = pytest.mark.timeout(120)


class Terminal:
    """Commands of a user whose Headwater is the server of the test."""

    def __init__(self, home: Path, served: Served) -> None:
        self._machine, self._url = Machine(home), served.url

    async def run(self, *arguments: object, **environment: str) -> Ended:
        given = [str(each) for each in arguments]
        return await self._machine.run(*given, HEADWATER_API_URL=self._url, **environment)


@pytest.fixture
def terminal(tmp_path: Path, served: Served) -> Terminal:
    return Terminal(tmp_path, served)


async def status(client: httpx.AsyncClient, story: Story) -> tuple[str, str | None]:
    run = (await client.get(f"/v1/runs/{story.run}")).json()
    return run["status"], run["wish"]


async def test_a_queued_run_is_paused_resumed_and_cancelled(
    terminal: Terminal, client: httpx.AsyncClient, story: Story
) -> None:
    paused = await terminal.run("pause", story.run)
    resumed = await terminal.run("resume", story.run)
    cancelled = await terminal.run("cancel", story.run, "--json")

    assert [each.code for each in (paused, resumed, cancelled)] == [0, 0, 0]
    assert paused.err == f"Paused. Go on with it: headwater resume {story.run}\n"
    assert f"headwater watch {story.run}" in resumed.err
    assert json.loads(cancelled.out)["status"] == "cancelled"
    assert paused.out == resumed.out == cancelled.err == ""
    assert await status(client, story) == ("cancelled", None)


async def test_of_a_run_at_work_the_wish_is_told(
    terminal: Terminal, client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()

    asked = await terminal.run("cancel", story.run)

    assert asked.code == 0
    assert "What was indexed is kept" in asked.err
    assert await status(client, story) == ("running", "cancel")


async def test_what_failed_is_retried_by_a_run_whose_id_is_the_output(
    terminal: Terminal, client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()
    await failed(story.database, await found(story.database, story.run))
    await story.milestone(EventKind.SUCCEEDED_WITH_FAILURES)

    asked = await terminal.run("retry", story.run)

    new = asked.out.strip()
    assert asked.code == 0
    assert new != str(story.run)
    assert asked.err == f"Watch it: headwater watch {new}\n"
    assert (await client.get(f"/v1/runs/{new}")).status_code == 200


@pytest.mark.parametrize("command", ["cancel", "pause", "resume"])
async def test_a_run_that_is_over_is_refused_in_one_line(
    terminal: Terminal, story: Story, command: str
) -> None:
    await story.start()
    await story.end()

    refused = await terminal.run(command, story.run)

    assert refused.code == 1
    assert f"nothing to {command}" in refused.err
    assert refused.err.count("\n") == 1


@pytest.mark.parametrize("command", ["cancel", "pause", "resume", "retry"])
async def test_a_run_that_does_not_exist_is_wrong_usage(terminal: Terminal, command: str) -> None:
    nowhere = await terminal.run(command, new_id())
    nonsense = await terminal.run(command, "latest")

    assert (nowhere.code, nonsense.code) == (2, 2)
    assert "headwater runs" in nonsense.err


async def test_a_version_is_activated_ramped_and_shown(
    terminal: Terminal, database: Database
) -> None:
    async def deploy(*arguments: object) -> Ended:
        async with database.transaction() as tx:
            for each in ("1.4.0", "1.5.0"):  # they live, however slow the commands are
                await workers.register(tx, name=each, version=each, host="h", pid=1, slots=4)
        return await terminal.run("deploy", *arguments)

    before = await deploy("status")
    await deploy("activate", "1.4.0")
    ramped = await deploy("ramp", "1.5.0", "10")
    shown = await deploy("status", "--json")
    refused = await deploy("activate", "1.6.0")
    forced = await deploy("activate", "1.6.0", "--force", "--json")

    assert "every worker takes every run" in before.err
    assert ramped.out.splitlines() == [
        "1.4.0  active        1 worker  0 runs held  0 queued",
        "1.5.0  ramping 10 %  1 worker  0 runs held  0 queued",
    ]
    assert json.loads(shown.out)["ramp"] == {"version": "1.5.0", "percent": 10}
    assert (refused.code, forced.code) == (1, 0)
    assert "1.6.0" in refused.err
    assert json.loads(forced.out)["active"] == "1.6.0"


async def test_connect_prints_a_link_that_is_good_once(
    terminal: Terminal, client: httpx.AsyncClient
) -> None:
    ended = await terminal.run("connect", "local", "--owner", "ada")

    link = ended.out.strip()
    session, _, secret = link.partition("#")[2].partition(".")
    entered = await client.post(f"/connect/api/{session}/enter", json={"secret": secret})
    assert ended.code == 0
    assert entered.is_success
    assert (await client.get("/connect")).is_success


async def test_connections_lists_what_is_connected(terminal: Terminal, story: Story) -> None:
    ended = await terminal.run("connections")

    assert ended.code == 0
    assert "local  ada  Notes" in ended.out


async def test_keys_are_rotated_while_all_runs(
    terminal: Terminal, database: Database, database_url: str, story: Story
) -> None:
    first, second = [(await terminal.run("keys", "new")).out.strip() for _ in range(2)]
    keyring = Keyring.parse(first)
    async with database.transaction() as tx:
        [connection] = await connections.page(tx, LOCAL_TENANT, owner=None, after=None, limit=1)
        await credentials.give(
            tx, keyring, LOCAL_TENANT, connection.id, kind="token", secret=b"x", actor="test"
        )

    ended = await terminal.run(
        "keys",
        "rotate",
        "--json",
        HEADWATER_DATABASE_URL=database_url,
        HEADWATER_SECRET_KEYS=f"{second},{first}",
    )

    assert ended.code == 0, ended.err
    rotated = json.loads(ended.out)
    assert rotated == {"key": Keyring.parse(second).sealing, "resealed": 1, "left": 0}
    vault = Vault(database, Keyring.parse(second), LOCAL_TENANT, connection.id, "test")
    assert await vault.load() is not None


async def test_what_a_run_asks_is_shown_and_answered_in_words(
    terminal: Terminal, client: httpx.AsyncClient, database: Database, log: EventLog
) -> None:
    fields = {"approved": {"type": "boolean"}, "note": {"type": "string"}}
    schema = {"type": "object", "properties": fields, "required": ["approved"]}
    run = await asks(database, log, schema, about={"pages": 3})

    shown = await terminal.run("answer", run)
    refused = await terminal.run("answer", run, "approved=perhaps")
    answered = await terminal.run("answer", run, "approved=true", "note=42")
    over = await terminal.run("answer", run)

    assert [each.code for each in (shown, refused, answered, over)] == [0, 2, 0, 1]
    assert shown.out.splitlines() == [
        "Publish?",
        '  about: {"pages": 3}',
        "  approved: boolean",
        "  note: string (may be left out)",
    ]
    assert "'perhaps' is not of type 'boolean'" in refused.err
    assert refused.err.count("\n") == 1
    assert "asks nothing" in over.err
    async with database.reading() as tx:
        asked = await questions.get(tx, run, "publish")
    assert asked is not None
    assert asked.answer == {"approved": True, "note": "42"}


async def test_a_webhook_is_made_tried_looked_at_and_forgotten(
    terminal: Terminal, client: httpx.AsyncClient
) -> None:
    made = await terminal.run("webhooks", "create", "https://example.com/", "--event", "run.failed")
    [webhook] = (await client.get("/v1/webhooks")).json()["items"]
    tried = await terminal.run("webhooks", "test", webhook["id"], "--json")
    told = await terminal.run("webhooks", "deliveries", webhook["id"])
    again = await terminal.run("webhooks", "replay", webhook["id"], json.loads(tried.out)["id"])
    gone = await terminal.run("webhooks", "delete", webhook["id"])
    nonsense = await terminal.run("webhooks", "replay", webhook["id"])

    codes = [each.code for each in (made, tried, told, again, gone, nonsense)]
    assert codes == [0, 0, 0, 0, 0, 2]
    assert made.out.startswith("whsec_")
    assert "webhook.test  pending" in told.out
    assert (await client.get("/v1/webhooks")).json()["items"] == []
