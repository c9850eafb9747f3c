"""Serve the mock provider on loopback until it is stopped.

``python -m pipelines.llm.mock --port 9009 --plan '{"limits": {"tokens": 90000}}'``. The first line
on stdout is its base URL, for ``OPENAI_BASE_URL``.
"""

import socket
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from pydantic import ValidationError

from pipelines.llm.mock.app import Provider, make_app
from pipelines.llm.mock.plan import Plan


def main(
    port: Annotated[int, typer.Option(help="0: any free one.")] = 0,
    plan: Annotated[str, typer.Option(help="JSON, or @FILE with JSON; see plan.py.")] = "{}",
    seed: Annotated[int, typer.Option(help="The same seed, the same answers.")] = 7,
) -> None:
    """A model provider to try things against."""
    text = Path(plan[1:]).read_text() if plan.startswith("@") else plan
    try:
        behaviour = Plan.model_validate_json(text)
    except ValidationError as error:
        print(error, file=sys.stderr)  # noqa: T201  # a program's own words
        raise typer.Exit(2) from None
    listening = socket.create_server(("127.0.0.1", port), backlog=1024)
    address = listening.getsockname()
    print(f"http://{address[0]}:{address[1]}/v1", flush=True)  # noqa: T201  # what it is asked for
    app = make_app(Provider(behaviour, seed=seed))
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    typer.run(main)
