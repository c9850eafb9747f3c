"""A receipt in plain words, for people at a terminal."""

from collections.abc import Iterator, Sequence

from api.schemas import CountsView, FailureView, ReaderView, ReceiptView
from api.words import clean, duration, reasons, sentences

SAMPLE = 5
BILLION = 1_000_000_000


def lines(it: ReceiptView) -> list[str]:
    """Found = processed + unchanged + skipped + failed."""
    counts = it.counts
    skipped, failed = sum(counts.skipped.values()), sum(counts.failed.values())
    rows = (
        ("found", counts.found, ""),
        ("processed", counts.processed, _made(counts)),
        ("unchanged", counts.unchanged, ""),
        ("skipped", skipped, reasons(counts.skipped)),
        ("failed", failed, reasons(counts.failed)),
        ("deleted", counts.deleted, "gone from the source" if counts.deleted else ""),
    )
    width = max(len(f"{number:,}") for _, number, _ in rows)
    said = [_ending(it), ""]
    said += [f"  {name:<10} {number:>{width},}  {note}".rstrip() for name, number, note in rows]
    if not it.adds_up:
        said.append("  These numbers do not add up yet: not everything found has an outcome.")
    said += [
        "",
        f"  {it.index.artifacts:,} artifacts can be searched, in {it.index.chunks:,} chunks.",
    ]
    if it.reader is not None:
        said += [f"  {clean(line)}" for line in _read(it.reader, counts)]
    said += _sample("Failed:", it.failures, failed)
    unread = sum(counts.unread.values())
    return said + _sample("Processed, and not read by a model:", it.unread, unread)


def _ending(it: ReceiptView) -> str:
    title = clean(it.title) or str(it.run_id)
    took = f" in {duration(it.seconds)}" if it.seconds is not None else ""
    match it.status:
        case "succeeded":
            return f"{title} is ready{took}."
        case "succeeded_with_failures":
            return f"{title} is ready{took}, except for {_exceptions(it.counts)}."
        case "cancelled":
            return f"{title}: the run was cancelled{took}. What was indexed is kept."
        case "failed":
            why = it.reason and clean(sentences(it.reason.message, it.reason.action))
            return f"{title}: the run failed{took}" + (f": {why}" if why else ".")
        case _:
            return f"{title}: the run is {it.status}."


def _exceptions(counts: CountsView) -> str:
    failed, unread = sum(counts.failed.values()), sum(counts.unread.values())
    parts = (
        f"{failed:,} that failed" if failed else "",
        f"{unread:,} that no model could read ({reasons(counts.unread)})" if unread else "",
    )
    return " and ".join(part for part in parts if part)


def _made(counts: CountsView) -> str:
    return f"{counts.chunks:,} chunks, {counts.tokens:,} tokens" if counts.chunks else ""


def _read(reader: ReaderView, counts: CountsView) -> Iterator[str]:
    """Which model was asked, and what it took; or that none was."""
    if reader.note:
        yield reader.note
    if reader.model and counts.model_calls:
        times = "once" if counts.model_calls == 1 else f"{counts.model_calls:,} times"
        cost = f", ${counts.cost_nanos / BILLION:,.4f}" if counts.cost_nanos else ""
        took = f"{counts.input_tokens:,} tokens in, {counts.output_tokens:,} out"
        yield f"{reader.model} was asked {times}: {took}{cost}."


def _sample(head: str, some: Sequence[FailureView], number: int) -> list[str]:
    if not some:
        return []
    shown = some[:SAMPLE]
    said = ["", f"  {head}"]
    for each in shown:
        said.append(f"    {clean(each.title)}: {clean(each.detail or each.failure)}")
        if each.action:
            said.append(f"      {clean(each.action)}")
    more = number - len(shown)
    return said + ([f"    and {more:,} more"] if more > 0 else [])
