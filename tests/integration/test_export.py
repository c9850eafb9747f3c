"""An owner gets all that is held about them, nothing of anybody else's, and no secret."""

import json
from typing import Any

import httpx
from sqlalchemy import update

from storage import blobs, connections, questions, runs
from storage.connections import Connection
from storage.credentials import give
from storage.database import Database
from storage.export import CONTENTS
from storage.ids import TenantId
from storage.keys import make
from storage.scopes import OF_OWNERS
from storage.sealed import Keyring, new_key
from storage.streams.memory import MemoryEventLog
from storage.tables import artifacts
from tests.indexed import Library
from tests.serving import asking

Lines = list[dict[str, Any]]


async def of(
    web: httpx.AsyncClient, owner: str, *, key: str | None = None, status: int = 200
) -> Lines:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    answer = await web.get("/v1/export", params={"owner": owner}, headers=headers)
    assert answer.status_code == status, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def kinds(lines: Lines, kind: str) -> Lines:
    return [line for line in lines if line["type"] == kind]


async def connected(database: Database, tenant: TenantId, owner: str, path: str) -> Connection:
    async with database.transaction() as tx:
        made, _ = await connections.connect(
            tx, tenant, owner=owner, kind="local", title=owner, config={"path": path}
        )
        await runs.request(tx, tenant, connection=made, workflow="ingest", input={})
    return made


async def test_all_of_an_owner_is_told_and_counted(database: Database, tenant: TenantId) -> None:
    mine = await connected(database, tenant, "ada", "/notes")
    await connected(database, tenant, "bob", "/bobs")
    many = CONTENTS * 2 + 1
    async with database.transaction() as tx:
        for number in range(many):
            await Library(mine).add(tx, f"{number}.txt", f"text {number}")
        run, _ = await runs.request(tx, tenant, connection=mine, workflow="ingest", input={})
        await questions.ask(tx, tenant, run.id, "which", {"type": "object"})
    async with asking(database, MemoryEventLog()) as web:
        lines = await of(web, "ada")
        nobody = await of(web, "eve")

    told = kinds(lines, "artifact")
    assert lines[0]["owner"] == "ada"
    assert [each["text"] for each in told] == [f"text {number}" for number in range(many)]
    assert told[0]["reading"] == {"summary": "About 0.txt."}
    assert [each["id"] for each in kinds(lines, "connection")] == [str(mine.id)]
    assert [each["id"] for each in kinds(lines, "run")] == [str(run.id)]
    assert kinds(lines, "event")[0]["kind"] == "run.queued"
    assert kinds(lines, "question")[0]["name"] == "which"
    assert lines[-1]["counts"]["artifact"] == many
    assert sum(lines[-1]["counts"].values()) == len(lines) - 2
    assert "bob" not in json.dumps(lines)
    assert [line["type"] for line in nobody] == ["export", "end"]


async def test_what_was_fetched_comes_as_text_or_as_it_is(
    database: Database, tenant: TenantId
) -> None:
    mine = await connected(database, tenant, "ada", "/notes")
    async with database.transaction() as tx:
        for digest, body in (("a" * 64, "Grüße".encode()), ("b" * 64, b"%PDF\xff")):
            await blobs.put(tx, tenant, {digest: body})
            artifact = await Library(mine).add(tx, digest[:1], "as it was read")
            named = update(artifacts).where(artifacts.c.id == artifact)
            await tx.execute(named.values(digest=digest))
    async with asking(database, MemoryEventLog()) as web:
        text, document = kinds(await of(web, "ada"), "artifact")

    assert text["text"] == "Grüße"
    assert "content_base64" not in text
    assert document["text"] == "as it was read"
    assert document["content_base64"] == "JVBERv8="


async def test_nothing_that_opens_anything_is_in_it(database: Database, tenant: TenantId) -> None:
    mine = await connected(database, tenant, "ada", "/notes")
    keyring = Keyring.parse(new_key())
    async with database.transaction() as tx:
        await give(tx, keyring, tenant, mine.id, kind="token", secret=b"s3cret", actor="api")
        sealed = (await tx.execute(artifacts.metadata.tables["credentials"].select())).one().sealed
    async with asking(database, MemoryEventLog()) as web:
        lines = await of(web, "ada")

    said = json.dumps(lines)
    assert kinds(lines, "audit")
    assert "s3cret" not in said
    assert sealed.hex() not in said
    assert not {"secret", "sealed", "browser", "verifier"} & {key for line in lines for key in line}


async def test_an_owners_key_gets_its_own_and_no_other(
    database: Database, tenant: TenantId, other_tenant: TenantId
) -> None:
    await connected(database, tenant, "ada", "/notes")
    async with database.transaction() as tx:
        _, hers = await make(tx, tenant, name="k", scopes=OF_OWNERS, owner="ada")
        _, theirs = await make(tx, other_tenant, name="k", scopes=OF_OWNERS)
    async with asking(database, MemoryEventLog(), asks_for_keys=True) as web:
        own = await of(web, "ada", key=hers)
        (refused,) = await of(web, "bob", key=hers, status=403)
        foreign = await of(web, "ada", key=theirs)

    assert len(kinds(own, "connection")) == 1
    assert refused["code"] == "not_allowed"
    assert [line["type"] for line in foreign] == ["export", "end"]
