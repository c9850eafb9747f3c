"""Deletions that are in doubt: what they are, and saying whether they are right."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Query, Response

from api.held import Decided, DeletionDetail, DeletionView
from api.needs import needs
from api.once import Answer, Once, Repeatable
from api.pagination import Paged
from api.problems import Code, Problem
from api.schemas import Page
from api.services import Asking, Handed, Tenant
from storage import deletions
from storage.database import Tx
from storage.deletions import Deletion
from storage.ids import ConnectionId, TenantId
from storage.scopes import Scope

router = APIRouter(prefix="/v1/deletions", tags=["deletions"])
log = structlog.get_logger()

Decide = Callable[[Tx, TenantId, UUID], Awaitable[tuple[Deletion, int] | None]]
"""The deletion as it is decided, and how many went with it."""


@router.get(
    "",
    dependencies=[needs(Scope.CONNECTIONS_READ)],
    operation_id="list_deletions",
    summary="What may be gone, the newest first",
)
async def page(
    *,
    services: Handed,
    asking: Asking,
    connection_id: UUID | None = None,
    undecided: Annotated[bool, Query(description="Only what waits for a decision")] = True,
    paging: Paged,
) -> Page[DeletionView]:
    tenant, owner = asking.tenant, asking.owner
    listing = f"deletions:{tenant}:{owner}:{connection_id}:{undecided}"
    async with services.database.reading() as tx:
        rows = await deletions.page(
            tx,
            tenant,
            connection=None if connection_id is None else ConnectionId(connection_id),
            undecided=undecided,
            after=paging.place(listing, UUID),
            limit=paging.more,
            owner=owner,
        )
    some, following = paging.cut(listing, rows, lambda row: row.id)
    return Page(items=[_shown(row) for row in some], next_cursor=following)


@router.get(
    "/{deletion_id}",
    dependencies=[needs(Scope.CONNECTIONS_READ)],
    operation_id="get_deletion",
    summary="What may be gone, by name",
)
async def one(deletion_id: UUID, services: Handed, tenant: Tenant) -> DeletionDetail:
    async with services.database.reading() as tx:
        it = await deletions.get(tx, tenant, deletion_id)
        if it is None:
            raise _none(deletion_id)
        sample = await deletions.sample(tx, it)
    return DeletionDetail(**_shown(it).model_dump(), sample=sample)


@router.post(
    "/{deletion_id}/approve",
    dependencies=[needs(Scope.CONNECTIONS_WRITE)],
    operation_id="approve_deletion",
    summary="Say that they are gone: nobody finds them any more",
    response_model=Decided,
)
async def approve(deletion_id: UUID, once: Repeatable) -> Response:
    """What a listing has named since is kept. If one names them within a week, they come back."""
    return await _decide(deletions.approve, deletion_id, once)


@router.post(
    "/{deletion_id}/decline",
    dependencies=[needs(Scope.CONNECTIONS_WRITE)],
    operation_id="decline_deletion",
    summary="Say that they are not gone: they are kept",
    response_model=Decided,
)
async def decline(deletion_id: UUID, once: Repeatable) -> Response:
    """The next listing that lacks them asks again."""
    return await _decide(_declined, deletion_id, once)


async def _declined(tx: Tx, tenant: TenantId, deletion_id: UUID) -> tuple[Deletion, int] | None:
    it = await deletions.decline(tx, tenant, deletion_id)
    return None if it is None else (it, 0)


async def _decide(decide: Decide, deletion_id: UUID, once: Once) -> Response:
    async def work(tx: Tx) -> Answer:
        answer = await decide(tx, once.tenant, deletion_id)
        if answer is None:
            raise _none(deletion_id)
        it, hidden = answer
        log.info("deletion.decided", deletion=str(deletion_id), decision=it.decision, hidden=hidden)
        view = Decided(**_shown(it).model_dump(), hidden=hidden)
        return Answer(200, {}, view.model_dump(mode="json"))

    return await once.do(work)


def _shown(it: Deletion) -> DeletionView:
    return DeletionView(
        id=it.id,
        connection_id=it.connection,
        partition=it.partition,
        run_id=it.run,
        artifacts=it.artifacts,
        total=it.total,
        reason=it.reason,
        found_at=it.found_at,
        decision=it.decision,
        decided_at=it.decided_at,
    )


def _none(deletion_id: UUID) -> Problem:
    return Problem(Code.NOT_FOUND, f"There is no deletion {deletion_id}.")
