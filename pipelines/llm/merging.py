"""One reading of several, of the parts of a long text in their order."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipelines.llm import forms

MOST_PHRASES = 8
MOST_ENTITIES = 40
MOST_FACTS = 60


def merged(
    parts: Sequence[Mapping[str, Any]],
    head: Mapping[str, Any] | None,
    *,
    schema: Mapping[str, Any] | None,
) -> Mapping[str, Any]:
    """``head`` is what was said of the whole; None: what was said of its beginning must do."""
    first = parts[0]
    value = {
        **first,
        "phrases": _unique(part["phrases"] for part in parts)[:MOST_PHRASES],
        "importance": max(part["importance"] for part in parts),
        **(head or {}),
        "entities": _unique(part["entities"] for part in parts)[:MOST_ENTITIES],
        "facts": _unique(part["facts"] for part in parts)[:MOST_FACTS],
        "unproved": sum(part["unproved"] for part in parts),
    }
    if schema is not None:
        value["extracted"] = _extracted([part["extracted"] for part in parts], schema)
    return value


def _extracted(parts: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Lists put together, of all else the first that says something; if that fits the schema."""
    whole: Mapping[str, Any] = parts[0]
    for part in parts[1:]:
        whole = {key: _either(whole.get(key), part.get(key)) for key in {**whole, **part}}
    return whole if forms.fits(whole, schema) else parts[0]


def _either(one: Any, other: Any) -> Any:
    if isinstance(one, list) and isinstance(other, list):
        return _unique([one, other])
    return other if one in (None, "", []) else one


def _unique(lists: Iterable[Sequence[Any]]) -> list[Any]:
    found: list[Any] = []
    for each in lists:
        found += [item for item in each if item not in found]
    return found
