"""Writes the OpenAPI document: ``python -m api.openapi > docs/openapi.json``."""

import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from api.app import create_app
from api.services import Services


@asynccontextmanager
async def _closed() -> AsyncGenerator[Services]:
    raise RuntimeError("this app is only read")
    yield


def main() -> None:
    json.dump(create_app(_closed).openapi(), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
