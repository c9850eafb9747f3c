"""Print a table: a row for each scenario and way, and which targets ours missed.

``python -m benchmarks limits --only steady,outage --ways ours,gcra`` runs some of it.
"""

import argparse
import asyncio
import sys

from benchmarks.limits.figures import Figures
from benchmarks.limits.rig import open_rig
from benchmarks.limits.scenarios import ALL, Scenario

WAYS = ("ours", "sdk2", "sdk10", "tenacity", "gcra")
HEADER = (
    f"{'scenario':<10}{'way':<10}{'used':>8}{'429s':>8}{'lost':>6}{'Jain':>7}{'p95 s':>8}"
    f"{'503s':>6}{'back s':>8}{'calls':>7}{'CPU ms':>8}  missed"
)


async def main(arguments: argparse.Namespace) -> int:
    missed = 0
    print(HEADER, flush=True)
    async with open_rig() as rig:
        for scenario in _chosen(arguments.only):
            for way in _ways(scenario, arguments.ways):
                result = await rig.run(scenario, way)
                failed = result.missed(scenario) if way == "ours" else []
                missed += len(failed)
                print(_row(scenario, way, result, failed), flush=True)
    return 1 if missed else 0


def _chosen(only: str) -> list[Scenario]:
    names = [name for name in only.split(",") if name]
    unknown = set(names) - {scenario.name for scenario in ALL}
    if unknown:
        known = ", ".join(scenario.name for scenario in ALL)
        sys.exit(f"No scenario {', '.join(sorted(unknown))}; there are {known}.")
    return [scenario for scenario in ALL if not names or scenario.name in names]


def _ways(scenario: Scenario, ways: str) -> list[str]:
    if ways:
        return [way for way in ways.split(",") if way in WAYS]
    return ["ours", *scenario.rivals]


def _row(scenario: Scenario, way: str, got: Figures, failed: list[str]) -> str:
    back = "-" if got.recovery is None else f"{got.recovery:.0f}"
    return (
        f"{scenario.name:<10}{way:<10}{got.utilisation:>8.1%}{got.refused:>8.2%}{got.lost:>6}"
        f"{got.jain:>7.3f}{got.interactive_p95:>8.2f}{got.wasted:>6}{back:>8}{got.calls:>7}"
        f"{got.cpu_ms:>8.1f}  {', '.join(failed) or '-'}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="scenarios, with commas between them")
    parser.add_argument("--ways", default="", help="ways, with commas between them")
    sys.exit(asyncio.run(main(parser.parse_args())))
