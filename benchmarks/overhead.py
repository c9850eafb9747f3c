"""What the pipeline costs beside the work itself, against a bare loop and Prefect tasks.

Each way makes the same documents searchable in a database of its own, 64 at once, a hundred a
transaction, in a process of its own, one after the other. With real work documents are cut, read
and embedded; with none, what comes of them is there already, and all that is left is overhead.

    python -m benchmarks.overhead [documents]
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.memory import peak_memory
from benchmarks.prefect_server import prefect_server

WAYS = {
    "bare": "a bare asyncio loop",
    "ours": "headwater",
    "flow": "headwater as a Prefect flow",
    "tasks": "a Prefect task a document",
    "recorded": "… until its server knows it",
}
DOCUMENTS = 2_000
IN_TASKS = ("tasks", "recorded")
FEWER = 4  # with tasks, a quarter of the documents tells enough
MOST_MS = 1.0
LEAST_TIMES = 20
MOST_MB = 500
FILES = 20_000


@dataclass(frozen=True, slots=True)
class Measured:
    documents: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        return self.documents / self.seconds

    @property
    def cpu_ms(self) -> float:
        return self.cpu_seconds / self.documents * 1000


def main(documents: int = DOCUMENTS) -> int:
    with tempfile.TemporaryDirectory(prefix="overhead-") as name, prefect_server(Path(name)) as url:
        environment = {**os.environ, "PREFECT_API_URL": url, "PREFECT_HOME": name}
        print(f"{'':<30}{'no work':>24}{'cut, read, embedded':>28}")
        print(
            f"{'':<30}" + f"{'docs/s':>12}{'CPU ms/doc':>12}" + f"{'docs/s':>16}{'CPU ms/doc':>12}"
        )
        found = {way: _both(way, documents, environment) for way in WAYS}
        memory = peak_memory(Path(name), FILES, environment)
    print(f"\nworker on {FILES:,} files: {memory.describe()}")
    return _verdict(found, memory.total_mb)


def _both(way: str, documents: int, environment: Mapping[str, str]) -> Measured:
    some = documents // FEWER if way in IN_TASKS else documents
    none, real = (_measure(way, some, work, environment) for work in ("none", "real"))
    print(
        f"{WAYS[way]:<30}{none.rate:>12,.0f}{none.cpu_ms:>12.2f}{real.rate:>16,.0f}{real.cpu_ms:>12.2f}",
        flush=True,
    )
    return none


def _measure(way: str, documents: int, work: str, environment: Mapping[str, str]) -> Measured:
    command = [sys.executable, "-m", "benchmarks.ways", way, str(documents), work]
    done = subprocess.run(command, env=dict(environment), check=True, stdout=subprocess.PIPE)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def _verdict(found: Mapping[str, Measured], memory_mb: float) -> int:
    over = found["ours"].cpu_ms - found["bare"].cpu_ms
    times = found["ours"].rate / found["recorded"].rate
    print(
        f"overhead: {found['ours'].cpu_ms:.2f} ms of CPU a document with its SQL "
        f"({over:+.2f} over the bare loop); target under {MOST_MS}"
    )
    print(
        f"against a task a document, recorded as ours are: {times:.0f} times; "
        f"target at least {LEAST_TIMES}"
    )
    print(f"memory: {memory_mb:.0f} MB; target under {MOST_MB}")
    met = found["ours"].cpu_ms < MOST_MS and times >= LEAST_TIMES and memory_mb < MOST_MB
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
