"""Where a person asks the running fake what it was asked, and has it change something.

curl localhost:4040/fake/asked                      # what was asked since the last POST
curl -X POST localhost:4040/fake/asked              # the same, and begin to count again
curl -X POST "localhost:4040/fake/push?files=10"    # a commit that changes so many files
"""

from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from connectors.github.fake.app import Fake
from connectors.github.fake.world import Asked

_MOST = 20
_CODE = ("/commits/", "/git/", "/tarball/", "/codeload/")


def open_desk(fake: Fake) -> Starlette:
    """The fake with a desk at ``/fake``."""

    async def asked(request: Request) -> JSONResponse:
        told = summary(fake.world.asked)
        if request.method == "POST":
            fake.world.asked.clear()
        return JSONResponse(told)

    async def push(request: Request) -> JSONResponse:
        count = int(request.query_params.get("files", "1"))
        (repo,) = fake.world.repos.values()
        changed = sorted(path for path in repo.files if path.endswith(".py"))[:count]
        mark = f"CHANGED = {repo.head!r}\n".encode()
        commit = fake.world.push(repo, {path: repo.files[path][1] + mark for path in changed})
        return JSONResponse({"commit": commit, "changed": changed})

    desk = [Route("/asked", asked, methods=["GET", "POST"]), Route("/push", push, methods=["POST"])]
    return Starlette(routes=[Mount("/fake", routes=desk), Mount("/", app=fake.app)])


def summary(asked: Sequence[Asked]) -> dict[str, Any]:
    """Requests for code and for the rest; how many were conditional, and answered by a 304.

    ``most``: what was asked, how often, the most often first.
    """
    parts = Counter("code" if _is_for_code(each) else "rest" for each in asked)
    return {
        "requests": len(asked),
        "code": parts["code"],
        "rest": parts["rest"],
        "conditional": sum(each.conditional for each in asked),
        "not_modified": sum(each.status == HTTPStatus.NOT_MODIFIED for each in asked),
        "most": Counter(f"{each.method} {each.path} {each.status}" for each in asked).most_common(
            _MOST
        ),
    }


def _is_for_code(asked: Asked) -> bool:
    return any(part in asked.path for part in _CODE) or "Blobs" in asked.query
