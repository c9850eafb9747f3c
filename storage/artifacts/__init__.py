"""What a connection's source holds, and how far each artifact has come on its way into the index.

One that is searchable stays so, with the chunks of its last good version, until a newer version is
ready, or until it is skipped or deleted. Nothing here is fenced by itself: an attempt writes in
transactions that also call ``runs.save``.
"""

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
    NewArtifact,
    NewSkip,
    Ready,
    Staged,
)
from storage.artifacts.writing import (
    ACCESS_LOST,
    TOLD,
    delete,
    describe,
    forget_hidden,
    hide,
    ready,
    skip,
    stage,
    touch,
)

__all__ = [
    "ACCESS_LOST",
    "TOLD",
    "ArtifactRow",
    "ArtifactStatus",
    "Hidden",
    "Known",
    "NewArtifact",
    "NewSkip",
    "Ready",
    "Staged",
    "absent",
    "backlog",
    "delete",
    "describe",
    "described",
    "forget_hidden",
    "get",
    "hide",
    "known",
    "page",
    "queue",
    "ready",
    "searchable",
    "skip",
    "stage",
    "staged",
    "touch",
    "useful",
]
