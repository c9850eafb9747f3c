"""Answering what a run asks, so that it goes on."""

from uuid import UUID

import structlog
from fastapi import APIRouter, Response

from api.needs import needs
from api.once import Answer, Repeatable
from api.routes.runs import found, missing, tell, view
from api.schemas import RunView
from api.services import Handed, Tenant
from api.workflows import AnswerRequest, check_answer
from storage import questions
from storage.database import Tx
from storage.ids import RunId
from storage.scopes import Scope

router = APIRouter(prefix="/v1/runs/{run_id}", tags=["workflows"])
log = structlog.get_logger()


@router.post(
    "/input",
    dependencies=[needs(Scope.RUNS_WRITE)],
    operation_id="answer_run",
    summary="Answer what a run waits for, and let it go on",
    status_code=202,
    response_model=RunView,
)
async def answer(
    *,
    run_id: UUID,
    given: AnswerRequest,
    services: Handed,
    tenant: Tenant,
    once: Repeatable,
) -> Response:
    """While a run waits for `input`, its `reason.question` says what it asks and how to answer.

    The first answer counts: to say it again changes nothing, to say something else is refused.
    """

    async def work(tx: Tx) -> Answer:
        run = await found(tx, tenant, run_id)
        asked = await questions.get(tx, run.id, given.question)
        if asked is not None:
            check_answer(asked, given.answer)
        new = await questions.reply(tx, tenant, run.id, given.question, given.answer)
        if new is None:
            raise missing(run_id)
        log.info("run.answered", run_id=str(run_id), question=given.question, new=new)
        headers = {"Location": f"/v1/runs/{run_id}", "Retry-After": "1"}
        return Answer(202, headers, view(await found(tx, tenant, run_id)).model_dump(mode="json"))

    response = await once.do(work, body=given)
    await tell(services, RunId(run_id))
    return response
