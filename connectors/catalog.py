"""Which kinds of sources there are: ours, and those of installed packages."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from pydantic import BaseModel, ValidationError

from connectors import local
from connectors.connector import Spec
from connectors.errors import KindBroken, KindUnknown

GROUP = "headwater.connectors"


@cache  # what is installed does not change while a process lives
def specs() -> Mapping[str, Spec]:
    """Every kind by its name. Raises ``KindBroken`` for a package that cannot be used.

    It is better to hear of it when a process starts than to miss a source at night.
    """
    return collect(entry_points(group=GROUP))


def collect(points: "tuple[EntryPoint, ...] | list[EntryPoint]") -> Mapping[str, Spec]:
    found = {local.CONNECTOR.kind: local.CONNECTOR}
    for point in points:
        spec = _load(point)
        if found.setdefault(spec.kind, spec) is not spec:
            raise KindBroken(point.name, f"the kind {spec.kind} is there already")
    return MappingProxyType(found)


def parse(kind: str, config: Mapping[str, object]) -> BaseModel:
    """What a user stated about a source, checked. Raises pydantic's ``ValidationError``."""
    spec = specs().get(kind)
    if spec is None:
        raise KindUnknown(kind, known=sorted(specs()))
    return spec.config.model_validate(config)


@dataclass(frozen=True, slots=True)
class Located:
    """A source as a person types it. ``config`` is None if its kind makes nothing of the rest."""

    spec: Spec
    config: Mapping[str, object] | None


def locate(text: str) -> Located | None:
    """What ``github:owner/name``, or a whole URL, means. None: nothing to any kind."""
    kind, colon, rest = text.partition(":")
    spec = specs().get(kind)
    if colon and spec is not None:
        return Located(spec, spec.locate(rest))
    if not text.startswith(("https://", "http://")):
        return None
    for each in specs().values():
        config = each.locate(text)
        if config is not None:
            return Located(each, config)
    return None


def _load(point: EntryPoint) -> Spec:
    try:
        spec = point.load()
    except (ImportError, AttributeError) as error:
        raise KindBroken(point.name, f"it cannot be imported: {error}") from error
    if not isinstance(spec, Spec):
        raise KindBroken(point.name, f"{point.value} is no connectors.connector.Spec")
    if spec.consent is not None:
        _begin_with_all(point.name, spec)
    return spec


def _begin_with_all(name: str, spec: Spec) -> None:
    """With a grant alone, before anything is chosen, there is nothing to state yet."""
    try:
        spec.config.model_validate({})
    except ValidationError as error:
        reason = "it asks for consent, and its configuration may not be empty"
        raise KindBroken(name, reason) from error
