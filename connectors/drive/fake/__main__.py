"""Run a fake Google Drive on loopback: ``python -m connectors.drive.fake``."""

import argparse
import sys
from threading import Event

from connectors.drive.fake.generate import drive
from connectors.drive.fake.server import FakeDrive
from connectors.drive.fake.world import World
from connectors.fakes.google import serving


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m connectors.drive.fake", description=__doc__)
    parser.add_argument("--port", type=int, default=4060)
    parser.add_argument("--token", default="fake-token", help="the one token that is accepted")
    parser.add_argument("--files", type=int, default=200)
    given = parser.parse_args()
    world = World(tokens={given.token})
    drive(world, files=given.files)
    with serving(FakeDrive(world), port=given.port) as origin:
        sys.stderr.write(f"The drive of {world.address} is at {origin}, for {given.token}\n")
        Event().wait()


if __name__ == "__main__":
    main()
