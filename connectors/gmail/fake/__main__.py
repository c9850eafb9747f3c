"""Run a fake Gmail on loopback: ``python -m connectors.gmail.fake``."""

import argparse
import sys
from threading import Event

from connectors.fakes.google import serving
from connectors.gmail.fake.generate import mailbox
from connectors.gmail.fake.server import FakeGmail
from connectors.gmail.fake.world import World


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m connectors.gmail.fake", description=__doc__)
    parser.add_argument("--port", type=int, default=4050)
    parser.add_argument("--token", default="fake-token", help="the one token that is accepted")
    parser.add_argument("--messages", type=int, default=200)
    given = parser.parse_args()
    world = World(tokens={given.token})
    mailbox(world, messages=given.messages)
    with serving(FakeGmail(world), port=given.port) as origin:
        sys.stderr.write(f"{world.address} is at {origin}, for {given.token}\n")
        Event().wait()


if __name__ == "__main__":
    main()
