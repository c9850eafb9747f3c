"""The console: static files of this package, and nothing outside its folder."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.staticfiles import StaticFiles

from api.needs import open_to_all

FOLDER = Path(__file__).parents[1] / "console"
router = APIRouter(
    include_in_schema=False,
    dependencies=[open_to_all("the files of the page, which hold nothing of anybody")],
)
files = StaticFiles(directory=FOLDER)


@router.api_route("/", methods=["GET", "HEAD"])
async def page(request: Request) -> Response:
    return await _file("index.html", request)


@router.api_route("/connect", methods=["GET", "HEAD"])
async def connect(request: Request) -> Response:
    return await _file("connect.html", request)


@router.api_route("/console/{path:path}", methods=["GET", "HEAD"])
async def inside(path: str, request: Request) -> Response:
    return await _file(path, request)


@router.api_route("/{name}", methods=["GET", "HEAD"])
async def beside(name: str, request: Request) -> Response:
    return await _file(name, request)


async def _file(path: str, request: Request) -> Response:
    response = await files.get_response(path, request.scope)
    response.headers["Cache-Control"] = "no-cache"  # kept, but asked about each time, by its ETag
    return response
