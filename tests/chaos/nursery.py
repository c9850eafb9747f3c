"""Starts processes fast: it has everything imported already, and forks. ``python -m …nursery``.

Starting an interpreter with Prefect, grammars and a model takes seconds, a fork milliseconds; and
what is forked is as real a process as any. It reads one request a line (JSON) and answers each. Its
children die with it.
"""

import ctypes
import gc
import json
import os
import random
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import uuid_utils

import api.__main__
from connectors import catalog
from pipelines import embedding
from pipelines.digest import Document, digest
from storage import crashpoints
from tests.chaos import laborer

PR_SET_PDEATHSIG = 1
ROLES: Mapping[str, Callable[[], int]] = {"worker": laborer.main, "api": api.__main__.main}


def main() -> None:
    _warm_up()
    _say({"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        match request["do"]:
            case "start":
                _say({"pid": _start(request)})
            case "poll":
                _say({"code": _poll(request["pid"])})


def _warm_up() -> None:
    catalog.specs()
    embedding.embed(["warm"])
    said = b"What is read is long enough to tell its language by. " * 8
    for name in ("a.py", "a.md", "a.json", "a.txt"):
        digest(Document(said, path=name, title=name))
    threads = Path("/proc/self/status").read_text().partition("Threads:")[2].split()[0]
    if threads != "1":
        raise RuntimeError(f"{threads} threads: what is forked from here would not be sound")
    gc.freeze()


def _start(request: Mapping[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _become(request)
    return pid


def _become(request: Mapping[str, Any]) -> NoReturn:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
    _redirect(request["log"])
    os.environ.clear()
    os.environ.update(request["environment"])
    random.seed()
    uuid_utils.reseed_rng()
    crashpoints.arm(os.environ.get(crashpoints.VARIABLE, ""))
    code = 1
    try:
        code = ROLES[request["role"]]()
    except BaseException as error:  # noqa: BLE001  # the edge of a process
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _redirect(log: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(nothing, 0)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.closerange(3, 64)


def _poll(pid: int) -> int | None:
    """The exit code, negative for a signal; None while it runs."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _say(answer: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
