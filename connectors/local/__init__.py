"""Folders and git repositories on the machine of the worker."""

from connectors.connector import Spec
from connectors.local.config import LocalConfig, LocalCursor
from connectors.local.crawl import open_local

CONNECTOR = Spec(
    kind="local",
    title="Folder or git repository",
    description="Files on the machine where the worker runs; of a repository, those at HEAD.",
    config=LocalConfig,
    cursor=LocalCursor,
    open=open_local,
)
