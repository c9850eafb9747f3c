"""What a connection's source holds, and how far each artifact has come on its way into the index.

One that is searchable stays so, with the chunks of its last good version, until a newer version is
ready, or until it is skipped or deleted. Nothing here is fenced by itself: an attempt writes in
transactions that also call ``runs.save``.
"""

from storage.artifacts.leaving import (
    ACCESS_LOST,
    GONE,
    find_again,
    forgive,
    hide,
    lose,
    miss,
    missed,
    purge,
)
from storage.artifacts.reading import (
    absent,
    backlog,
    described,
    get,
    known,
    page,
    queue,
    searchable,
    staged,
    useful,
)
from storage.artifacts.values import (
    ArtifactRow,
    ArtifactStatus,
    Hidden,
    Known,
    Missing,
    NewArtifact,
    NewSkip,
    Ready,
    Staged,
)
from storage.artifacts.writing import (
    TOLD,
    delete,
    describe,
    ready,
    skip,
    stage,
    touch,
)

__all__ = [
    "ACCESS_LOST",
    "GONE",
    "TOLD",
    "ArtifactRow",
    "ArtifactStatus",
    "Hidden",
    "Known",
    "Missing",
    "NewArtifact",
    "NewSkip",
    "Ready",
    "Staged",
    "absent",
    "backlog",
    "delete",
    "describe",
    "described",
    "find_again",
    "forgive",
    "get",
    "hide",
    "known",
    "lose",
    "miss",
    "missed",
    "page",
    "purge",
    "queue",
    "ready",
    "searchable",
    "skip",
    "stage",
    "staged",
    "touch",
    "useful",
]
