"""Run a fake GitHub on loopback: ``python -m connectors.github.fake``."""

import argparse
import sys

import uvicorn

from connectors.github.fake.app import Fake
from connectors.github.fake.desk import open_desk
from connectors.github.fake.generate import demo


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m connectors.github.fake", description=__doc__)
    parser.add_argument("--port", type=int, default=4040)
    parser.add_argument("--token", default="fake-token", help="the one token that is accepted")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--issues", type=int, default=50)
    parser.add_argument("--comments", type=int, default=120)
    parser.add_argument("--discussions", type=int, default=1)
    given = parser.parse_args()
    fake = Fake()
    demo(
        fake.world,
        given.token,
        files=given.files,
        issues=given.issues,
        comments=given.comments,
        discussions=given.discussions,
    )
    origin = f"http://127.0.0.1:{given.port}"
    sys.stderr.write(
        f"acme/demo is at {origin}, for {given.token}; {origin}/fake/asked tells what was asked\n"
    )
    uvicorn.run(
        open_desk(fake), host="127.0.0.1", port=given.port, log_level="warning", date_header=False
    )


if __name__ == "__main__":
    main()
