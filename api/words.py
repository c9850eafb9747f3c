"""A run in plain words, for people at a terminal. No I/O, no colours."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from api.accounts import ErasureView
from api.held import DeletionView
from api.rollout import DeploymentView, FleetView, RampView
from api.scheduling import ScheduleView, TickView
from api.schemas import CountsView, EtaView, HitView, RunView, StageView

BEFORE_FIRST_STAGE = "Waiting for a worker."
BY_WORDS = (
    "Compared by words only: these vectors are a provider's, and no worker with its key answered."
)
WISHED: Mapping[str | None, str] = {
    "cancel": "Cancelling: it stops at the next step.",
    "pause": "Pausing: it stops at the next step.",
}
MINUTE = 60
HOUR = 60 * MINUTE


def clean(text: str) -> str:
    """Text of a source, safe to print: a file name may hold newlines and terminal commands."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def sentences(*parts: str | None) -> str:
    """Parts that were written on their own, put one after the other: each ends before the next."""
    said = [part.strip() for part in parts if part and part.strip()]
    return " ".join(part if part[-1] in ".!?…" else f"{part}." for part in said)


def headline(run: RunView) -> str:
    """What the run is doing, or why it is not."""
    if run.wish in WISHED:
        return WISHED[run.wish]
    if run.reason is not None and run.status in {"waiting", "paused", "failed", "cancelled"}:
        return clean(sentences(run.reason.message or run.reason.code, run.reason.action))
    if run.activity:
        return clean(run.activity)
    return BEFORE_FIRST_STAGE if run.status == "queued" else ""


def stage_count(stage: StageView) -> str:
    if stage.status == "pending":
        return ""
    if stage.total is None:
        return f"{stage.done:,}"
    if stage.final or stage.status == "done":
        return f"{stage.done:,} of {stage.total:,}"
    return f"{stage.done:,} of at least {stage.total:,}"


def outcomes(counts: CountsView) -> str:
    """What became of the artifacts so far; what did not happen is not mentioned."""
    skipped, failed = sum(counts.skipped.values()), sum(counts.failed.values())
    unread = sum(counts.unread.values())
    parts = (
        f"{counts.processed:,} processed",
        f"{unread:,} of them not read by a model" if unread else "",
        f"{counts.unchanged:,} unchanged" if counts.unchanged else "",
        f"{skipped:,} skipped ({reasons(counts.skipped)})" if skipped else "",
        f"{failed:,} failed ({reasons(counts.failed)})" if failed else "",
    )
    return " · ".join(part for part in parts if part)


def pace(run: RunView) -> str:
    """How fast it goes, how long it may take, and what can be searched already."""
    parts = (
        speed(run.rate) if run.rate else "",
        remaining(run.eta) if run.eta else "",
        f"{run.searchable:,} searchable" if run.searchable else "",
    )
    return " · ".join(part for part in parts if part)


def reasons(numbers: Mapping[str, int]) -> str:
    """Most frequent first."""
    ranked = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number:,} {clean(reason).replace('_', ' ')}" for reason, number in ranked)


def speed(a_second: float) -> str:
    if a_second >= 1:
        return f"{a_second:,.0f}/s"
    return f"{a_second * MINUTE:,.0f}/min"


def remaining(eta: EtaView) -> str:
    low, high = eta.low_seconds, eta.high_seconds
    if high < MINUTE:
        return f"about {_range(low, high)} s left"
    if high < HOUR:
        return f"about {_range(low / MINUTE, high / MINUTE)} min left"
    return f"about {_range(low / HOUR, high / HOUR)} h left"


def duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < MINUTE:
        return f"{seconds:.1f} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"


def clock(span: timedelta) -> str:
    minutes, seconds = divmod(max(0, int(span.total_seconds())), MINUTE)
    hours, minutes = divmod(minutes, MINUTE)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def deployment(it: DeploymentView) -> list[str]:
    """A line a version: what it gets, who is there to take it, and what it still has."""
    rows = [
        (
            clean(each.version),
            _role(each, it.ramp),
            f"{each.workers:,} {'worker' if each.workers == 1 else 'workers'}",
            f"{each.held:,} {'run' if each.held == 1 else 'runs'} held",
            f"{each.queued:,} queued",
        )
        for each in it.versions
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def schedule(it: ScheduleView) -> str:
    """When it is due, and what became of it last."""
    parts = (
        clean(f"{it.cron} ({it.time_zone})")
        if it.cron
        else f"every {span(it.interval_seconds or 0)}",
        f"up to {span(it.jitter_seconds)} later" if it.jitter_seconds else "",
        _next(it),
        f"last {tick(it.last)}" if it.last is not None else "",
    )
    return " · ".join(part for part in parts if part)


def deletion(it: DeletionView) -> str:
    """What may be gone, and why that is in doubt."""
    doubts = {
        "everything": "the listing named nothing of it",
        "many": "that is unusually many",
        "recent": "all were added lately, as a stale listing lacks",
    }
    doubt = doubts.get(it.reason, it.reason)
    return clean(f"{it.artifacts:,} of {it.total:,} in {it.partition}: {doubt}")


def erasure(it: ErasureView) -> list[str]:
    """The receipt, or how far it is."""
    counted = ", ".join(
        f"{number:,} {name}" for name, number in sorted(it.counts.items()) if number
    )
    end = "Erased" if it.finished_at is not None else f"Being erased ({it.step})"
    revoked = "The provider was told." if it.revoked else "No grant was revoked at a provider."
    return [f"{end}: {counted or 'nothing yet'}.", f"{revoked} Receipt: {it.id}"]


def tick(it: TickView) -> str:
    missed = f", for {it.missed:,} that were missed too" if it.missed else ""
    done = "started" if it.outcome == "started" else "skipped, for a run was at it:"
    return f"{_minute(it.due_at)} {done} {it.run_id or ''}".rstrip() + missed


def span(seconds: int | None) -> str:
    """A whole number of days, hours, minutes or seconds."""
    seconds = seconds or 0
    for name, size in (("d", 24 * HOUR), ("h", HOUR), ("min", MINUTE)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {name}"
    return f"{seconds} s"


def hit(it: HitView) -> list[str]:
    """``path:first-last``, as editors and terminals make it clickable, and what is there."""
    place = f"{clean(it.path or it.url or it.title)}:{it.start_line}-{it.end_line}"
    symbol = f"  {clean(it.symbol)}" if it.symbol else ""
    snippet = [f"    {clean(line)}".rstrip() for line in _lines(it.snippet)]
    return [f"{place}{symbol}", *snippet]


def _next(it: ScheduleView) -> str:
    if it.paused:
        return "paused"
    if it.held is not None:
        return clean(f"held: {sentences(it.held.message, it.held.action)}")
    return f"next {_minute(it.next_at)}" if it.next_at is not None else ""


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _role(fleet: FleetView, ramp: RampView | None) -> str:
    if ramp is not None and fleet.role == "ramping":
        return f"ramping {ramp.percent} %"
    return fleet.role


def _lines(snippet: str) -> list[str]:
    return snippet.strip("\n").expandtabs(4).split("\n")


def _range(low: float, high: float) -> str:
    least, most = max(1, round(low)), max(1, round(high))
    return f"{most}" if least >= most else f"{least}-{most}"
