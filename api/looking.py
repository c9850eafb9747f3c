"""A look at a source takes a bounded time, and what goes wrong is the source's to say."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from api.problems import Code, Problem
from connectors.errors import ConnectorError

LOOK_SECONDS = 60.0


@asynccontextmanager
async def looking() -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            yield
    except TimeoutError:
        raise Problem(
            Code.SOURCE_TROUBLE, "The source takes too long to answer.", action="Try again."
        ) from None
    except ConnectorError as error:
        raise Problem(Code.SOURCE_TROUBLE, f"{error}.", action=error.action) from None
