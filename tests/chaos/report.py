"""What came of it all, for people."""

from collections.abc import Iterator, Sequence
from statistics import median

from tests.chaos.play import Result


def line(result: Result) -> str:
    verdict = "ok  " if not result.findings else "FAIL"
    slowest = f", {max(result.recoveries):.1f} s to go on" if result.recoveries else ""
    again = f", {result.redone} read again" if result.redone else ""
    return f"{verdict} {result.seconds:5.1f} s  {result.name}{slowest}{again}"


def summary(cases: Sequence[Result], seeds: Sequence[Result]) -> Iterator[str]:
    everything = [*cases, *seeds]
    recoveries = [seconds for result in everything for seconds in result.recoveries]
    yield f"cases             {len(cases):>7}   seeds {len(seeds)}"
    yield f"faults injected   {sum(each.faults for each in everything):>7}"
    yield f"artifacts         {sum(each.artifacts for each in everything):>7}"
    yield f"  lost            {_count(everything, 'is lost'):>7}"
    yield f"  duplicated      {_count(everything, 'duplicat', 'has chunks'):>7}"
    yield f"  read again      {sum(each.redone for each in everything):>7}"
    yield f"events read       {sum(each.events for each in everything):>7}"
    yield f"  connections cut {sum(each.cuts for each in everything):>7}"
    yield f"  lost or twice   {_count(everything, 'reader: event', 'left out'):>7}"
    yield f"foreign writes    {_count(everything, 'I6'):>7}"
    if recoveries:
        told = f"median {median(recoveries):.1f} s, most {max(recoveries):.1f} s"
        yield f"took over         {len(recoveries):>7}   {told}"
    bad = [each for each in everything if each.findings]
    yield f"went wrong        {len(bad):>7}"
    for result in bad:
        yield f"  {result.name}  (logs: {result.logs})"
        yield from (f"    {finding}" for finding in result.findings[:8])


def _count(results: Sequence[Result], *words: str) -> int:
    findings = [finding for result in results for finding in result.findings]
    return sum(any(word in finding for word in words) for finding in findings)
