"""The names things go by. Ids are UUIDv7, so that they sort by the time they were made."""

from typing import NewType
from uuid import UUID

from uuid_utils.compat import uuid7

TenantId = NewType("TenantId", UUID)
ConnectionId = NewType("ConnectionId", UUID)
RunId = NewType("RunId", UUID)
KeyId = NewType("KeyId", UUID)
ArtifactId = NewType("ArtifactId", int)
ChunkId = NewType("ChunkId", int)
Attempt = NewType("Attempt", int)
"""One process's try at a run. Its number is the fencing token: a lower one may not write."""

Seq = NewType("Seq", int)
"""An event's place in its run, from 1, gapless while the stream lives. Also its SSE id."""

LOCAL_TENANT = TenantId(UUID("00000000-0000-7000-8000-000000000001"))
"""The tenant of one-machine mode."""


def new_id() -> UUID:
    return uuid7()
