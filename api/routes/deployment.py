"""Which version of the workers gets the runs; for whoever operates this installation."""

from dataclasses import replace

import structlog
from fastapi import APIRouter, Response

from api.needs import needs
from api.once import Answer, Repeatable
from api.problems import Code, Problem
from api.rollout import ChangeView, DeploymentRequest, DeploymentView, FleetView, RampView
from api.services import Handed
from storage import versions, workers
from storage.database import Tx
from storage.scopes import Scope
from storage.versions import Deployment

router = APIRouter(prefix="/v1/deployment", tags=["operations"])
log = structlog.get_logger()


@router.get(
    "",
    operation_id="get_deployment",
    dependencies=[needs(Scope.DEPLOYMENT_READ)],
    summary="Which version gets the runs, and who drains",
)
async def look(services: Handed) -> DeploymentView:
    async with services.database.within(None).reading() as tx:  # the runs of all tenants
        return await _shown(tx, await versions.load(tx))


@router.post(
    "",
    operation_id="deploy",
    dependencies=[needs(Scope.DEPLOYMENT_WRITE)],
    summary="Activate a version, or give it a share of the runs",
    response_model=DeploymentView,
)
async def deploy(wanted: DeploymentRequest, services: Handed, once: Repeatable) -> Response:
    """Runs under way move at their next checkpoint, when workers of their new version live."""

    async def work(tx: Tx) -> Answer:
        await _require_workers(tx, wanted)
        if wanted.ramp is not None:
            after = await versions.ramp(tx, wanted.ramp.version, wanted.ramp.percent)
        else:
            after = await versions.activate(tx, wanted.activate or "")
        log.info("deployment.changed", active=after.active, ramp=after.ramp)
        return Answer(200, {}, (await _shown(tx, after)).model_dump(mode="json"))

    everybodys = replace(once, database=services.database.within(None))
    response = await everybodys.do(work, body=wanted)
    await services.wakeup.ring()
    return response


async def _require_workers(tx: Tx, wanted: DeploymentRequest) -> None:
    """Runs that are given to nobody wait for ever: that is rarely what is meant."""
    version = wanted.activate or (wanted.ramp and wanted.ramp.percent and wanted.ramp.version)
    if not version or wanted.force:
        return
    if not any(each.version == version and not each.draining for each in await workers.live(tx)):
        raise Problem(Code.NO_WORKERS, f"No worker of version {version} is alive to take runs.")


async def _shown(tx: Tx, deployment: Deployment | None) -> DeploymentView:
    fleets = [FleetView.model_validate(each) for each in await versions.fleets(tx)]
    if deployment is None:
        return DeploymentView(versions=fleets, history=[])
    return DeploymentView(
        active=deployment.active,
        ramp=None if deployment.ramp is None else RampView.model_validate(deployment.ramp),
        versions=fleets,
        history=[ChangeView.model_validate(each) for each in deployment.history],
    )
