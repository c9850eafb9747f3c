"""Folders and git repositories on the machine of the worker."""

from pathlib import PurePath

from connectors.connector import Spec
from connectors.local.config import LocalConfig, LocalCursor
from connectors.local.crawl import open_local


def _locate(text: str) -> dict[str, object] | None:
    return {"path": text} if PurePath(text).is_absolute() else None


CONNECTOR = Spec(
    kind="local",
    title="Folder or git repository",
    description="Files on the machine where the worker runs; of a repository, those at HEAD.",
    config=LocalConfig,
    cursor=LocalCursor,
    open=open_local,
    locate=_locate,
)
