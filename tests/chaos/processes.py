"""Processes of a stack, from the nursery, as whoever mistreats them needs them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos import rig

WORK_LOG = "CHAOS_WORK_LOG"
"""The variable that names the file in which a worker writes what it reads."""

ALONE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
"""Libraries that start threads would make forking unsound."""


@dataclass(slots=True)
class Process:
    """One that was started. ``died_at`` is on the wall clock, as milestones are."""

    name: str
    pid: int
    log: Path
    nursery: "Nursery"
    stopped: bool = False
    code: int | None = None
    died_at: float | None = None

    def ended(self) -> bool:
        if self.code is None:
            self.code = self.nursery.poll(self.pid)
            self.died_at = None if self.code is None else time.time()
        return self.code is not None

    def signal(self, number: signal.Signals) -> None:
        if self.ended():
            return
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
        if number in {signal.SIGSTOP, signal.SIGCONT}:
            self.stopped = number is signal.SIGSTOP

    def is_stopped(self) -> bool:
        with suppress(FileNotFoundError):
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        return False


@dataclass(slots=True)
class Nursery:
    """Asks ``tests.chaos.nursery``, which forks."""

    process: "subprocess.Popen[str]"
    packages: Path

    def start(self, role: str, name: str, environment: Mapping[str, str], log: Path) -> Process:
        log.parent.mkdir(parents=True, exist_ok=True)
        asked = {"do": "start", "role": role, "log": str(log), "environment": dict(environment)}
        pid: int = self._ask(asked)["pid"]
        return Process(name, pid, log, self)

    def poll(self, pid: int) -> int | None:
        code: int | None = self._ask({"do": "poll", "pid": pid})["code"]
        return code

    def answer(self) -> Mapping[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the nursery is gone: see what it said on stderr")
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    def _ask(self, request: Mapping[str, object]) -> Mapping[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.answer()


@contextmanager
def open_nursery(place: Path) -> Generator[Nursery]:
    packages = rig.install(place / "packages")
    environment = {**os.environ, **ALONE, "PYTHONPATH": os.pathsep.join((str(packages), "."))}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.nursery"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    nursery = Nursery(process, packages)
    try:
        nursery.answer()  # its first word: it is warm
        yield nursery
    finally:
        process.kill()
        process.communicate()
