"""A deployment over the wire: which version of the workers gets the runs."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from api.schemas import NO_NUL, Request, View

Version = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=NO_NUL),
]


class RampView(View):
    """The share of the runs that another version gets."""

    version: str
    percent: int


class ChangeView(View):
    at: datetime
    active: str
    ramp: RampView | None = None


class FleetView(View):
    """The workers of one version. A `drained` one holds no run: it may be stopped."""

    version: str
    role: str = Field(
        description="`active`, `ramping`, `draining`, `drained`; `serving` while none is active"
    )
    workers: int = Field(description="Workers that live and take runs")
    held: int = Field(description="Unfinished runs that its workers are at")
    queued: int = Field(description="Runs that wait for this version and no other")


class DeploymentView(View):
    """Without an active version, every worker takes every run."""

    active: str | None = None
    ramp: RampView | None = None
    versions: list[FleetView]
    history: list[ChangeView] = Field(description="The latest change last")


class RampRequest(Request):
    version: Version
    percent: int = Field(ge=0, le=100, description="0 ends the ramp")


class DeploymentRequest(Request):
    """One change: everything to a version, or a share to one that has to prove itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"activate": "1.4.0"}, {"ramp": {"version": "1.5.0", "percent": 10}}]
        }
    )

    activate: Version | None = None
    ramp: RampRequest | None = None
    force: bool = Field(default=False, description="Also if no worker of the version is alive")

    @model_validator(mode="after")
    def _one_change(self) -> Self:
        if (self.activate is None) == (self.ramp is None):
            raise ValueError("name either `activate` or `ramp`")
        return self
