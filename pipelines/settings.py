"""How a worker works, as the environment says it."""

import os
import socket
from datetime import timedelta
from importlib.metadata import version
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from connectors.outside import OutsideSettings


def _name(pid: int | None = None) -> str:
    return f"{socket.gethostname()}-{pid or os.getpid()}"


class PipelineSettings(OutsideSettings):
    model_config = SettingsConfigDict(
        env_prefix="HEADWATER_WORKER_", frozen=True, env_ignore_empty=True, populate_by_name=True
    )

    name: str = Field(default_factory=_name, max_length=200)
    """Who holds a run's lease. Two workers must not share it."""

    predecessor: int | None = None
    """The process in whose place this one is started, by whoever saw that one die: its runs need
    not wait for their leases to end."""

    version: str = Field(
        default_factory=lambda: version("headwater"),
        max_length=100,
        validation_alias="HEADWATER_VERSION",
    )
    """Which release it is: a deployment gives the runs to one (``headwater deploy``)."""

    slots: int = Field(default=4, ge=1)
    """Runs at once."""

    processes: int = Field(default=1, ge=1)
    """Processes for cutting, counting and embedding, beside the worker's own."""

    batch: int = Field(default=100, ge=1)
    """Artifacts that are made searchable at once: what a lost process has to do again."""

    pool: str = "headwater"
    """The Prefect work pool this worker takes flow runs from."""

    lease_seconds: float = Field(default=15.0, ge=1)
    renew_seconds: float = Field(default=3.0, gt=0)
    poll_seconds: float = Field(default=2.0, gt=0)
    """How often it looks for work when nobody rings."""

    drain_seconds: float = Field(default=25.0, ge=0)
    """How long a run may take to its next boundary when the worker is told to stop."""

    grace_days: float = Field(default=7.0, ge=0)
    """How long what is gone from its source is kept, hidden: a listing that names it again within
    that time brings it back."""

    keep_days: float = Field(default=90.0, ge=1)
    """How long the steps of a run that is over are kept. What it came to stays."""

    workflows: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), validation_alias="HEADWATER_WORKFLOWS"
    )
    """Modules with workflows of your own, separated by commas."""

    @field_validator("workflows", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(name.strip() for name in value.split(",") if name.strip())

    @property
    def heir_of(self) -> str | None:
        """The name of the predecessor; one that was given stays the same from life to life."""
        if self.predecessor is None:
            return None
        return _name(self.predecessor) if self.name == _name() else self.name

    @property
    def grace(self) -> timedelta:
        return timedelta(days=self.grace_days)

    @property
    def keep(self) -> timedelta:
        return timedelta(days=self.keep_days)

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=self.lease_seconds)
