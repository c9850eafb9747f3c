"""What providers tell of changes. Anybody may send it, and only what they signed is believed."""

from fastapi import APIRouter, Request, Response

from api.needs import open_to_all
from api.services import Handed

router = APIRouter(prefix="/v1", tags=["hints"])


@router.post(
    "/hints/{kind}",
    dependencies=[open_to_all("a hint bears its provider's signature, and never a key of ours")],
    operation_id="take_hint",
    summary="Take a provider's word that something changed: `github`, `gmail`",
    status_code=202,
    response_class=Response,
)
async def take(kind: str, request: Request, services: Handed) -> Response:
    """Kept, and led to one run of each connection that it is about; or about none, and dropped.

    Both are answered alike, and so is one that came before.
    """
    await services.letterbox.take(kind, request.headers, await request.body())
    return Response(status_code=202)
