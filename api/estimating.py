"""Estimates what an ingestion will come to, from the plan of its connector."""

from collections.abc import Iterable
from typing import Any

from api.estimates import CostView, EstimateView, PartitionEstimate, RangeView
from api.money import dollars
from connectors.connector import Partition, Plan
from storage.models import Models
from storage.money.forecast import Forecast, Range, Size, forecast

BYTES_AN_ARTIFACT = 4_000  # where a source tells sizes and no numbers

NO_MODEL = "No language model is configured: none reads, and nothing is paid."
UNSAID = "No worker has started yet, so which model reads is not known. Start `headwater up`."
UNPRICED = "The model has no known price: the dearest known one was taken. See HEADWATER_PRICES."
UNSIZED = "The source does not tell how much there is of everything: it may be more."


def estimate(plan: Plan, models: Models | None, *, ingested: int) -> EstimateView:
    artifacts = sum(map(_artifacts, plan.partitions))
    new = max(0, artifacts - ingested)
    found = forecast(_size(plan, artifacts, new), models)
    return EstimateView(
        artifacts=artifacts,
        ingested=ingested,
        partitions=[_partition(each) for each in plan.partitions],
        tokens=_range(found.tokens),
        model=models.reads if models else None,
        embedding_model=models.embeds if models else None,
        model_calls=_range(found.calls),
        billed_tokens=_range(found.billed),
        cost_usd=_cost(found),
        prices=f"{models.prices_source}, {models.prices_date}" if models and models.reads else None,
        seconds=None if found.seconds is None else _range(found.seconds),
        notes=list(_notes(plan, models)),
    )


def is_sized(partition: Partition) -> bool:
    return partition.artifacts is not None or partition.size_bytes is not None


def _size(plan: Plan, artifacts: int, new: int) -> Size:
    sizes = [each.size_bytes for each in plan.partitions if each.size_bytes is not None]
    share = new / artifacts if artifacts else 0.0
    known = len(sizes) == len(plan.partitions)
    return Size(
        artifacts=new,
        bytes=int(sum(sizes) * share) if known else None,
        source_calls=plan.calls,
    )


def _artifacts(partition: Partition) -> int:
    if partition.artifacts is not None:
        return partition.artifacts
    return -(-(partition.size_bytes or 0) // BYTES_AN_ARTIFACT)


def _notes(plan: Plan, models: Models | None) -> Iterable[str]:
    if models is None:
        yield UNSAID
    elif models.reads is None:
        yield NO_MODEL
    elif not models.price.known:
        yield UNPRICED
    if not all(map(is_sized, plan.partitions)):
        yield UNSIZED


def _partition(each: Partition) -> PartitionEstimate:
    told: dict[str, Any] = {"artifacts": each.artifacts, "size_bytes": each.size_bytes}
    return PartitionEstimate(key=each.key, title=each.title, **told)


def _range(each: Range) -> RangeView:
    return RangeView(low=each.low, high=each.high)


def _cost(found: Forecast) -> CostView:
    low, high = dollars(found.cost_nanos.low), dollars(found.cost_nanos.high)
    assert low is not None  # noqa: S101  # nor is high: neither is a limit that may be absent
    assert high is not None  # noqa: S101
    return CostView(low=low, high=high)
