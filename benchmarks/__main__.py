"""Run every benchmark, one after the other; name some to run only those.

``limits``, ``listeners`` and ``growth`` take minutes and are run only when they are named. Options
go to the one that is named.

Ratios within one run are what counts: each program measures Headwater and what one would use
instead side by side, on the same machine, in the same minute.
"""

import subprocess
import sys
from pathlib import Path

ALL = ("chunking", "overhead", "incremental", "stream", "resume")
NAMED = (*ALL, "listeners", "limits", "growth")


def main(arguments: list[str]) -> int:
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__, f"There are {', '.join(NAMED)}.", sep="\n")
        return 0
    first_option = next((at for at, word in enumerate(arguments) if word.startswith("-")), None)
    names, options = arguments[:first_option], arguments[len(arguments[:first_option]) :]
    unknown = sorted(set(names) - set(NAMED))
    if unknown:
        print(f"No benchmark {', '.join(unknown)}; there are {', '.join(NAMED)}.", file=sys.stderr)
        return 2
    failed = [name for name in names or ALL if _run(name, options)]
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _run(name: str, options: list[str]) -> int:
    print(f"\n== {name} " + "=" * (70 - len(name)), flush=True)
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    return subprocess.run(command, cwd=root, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
