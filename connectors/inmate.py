"""The child of a cell: answers one item after the other, with what little it is allowed.

``main`` takes FD, PARENT, CPU_SECONDS and MEMORY_BYTES from the command line.
"""

import ctypes
import os
import pickle
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

HEADER = struct.Struct("!I")
_PR_SET_PDEATHSIG = 1
_MOST_FILES = 64


class CellFailed(Exception):
    """Working on the item raised an error that cannot travel; says its name."""


def main() -> None:
    fd, parent, cpu_seconds, memory_bytes = sys.argv[1:]
    _confine(int(parent), int(memory_bytes))
    with socket.socket(fileno=int(fd)) as line:
        items, answers = line.makefile("rb"), line.makefile("wb")
        while len(header := items.read(HEADER.size)) == HEADER.size:
            function, item = pickle.loads(items.read(*HEADER.unpack(header)))  # noqa: S301  # our parent wrote it
            # The signal ends the process by itself, also inside a library that never returns.
            signal.setitimer(signal.ITIMER_PROF, float(cpu_seconds))
            answer = _outcome(function, item)
            signal.setitimer(signal.ITIMER_PROF, 0)
            answers.write(HEADER.pack(len(answer)) + answer)
            answers.flush()


def _confine(parent: int, memory_bytes: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MOST_FILES, _MOST_FILES))
    if os.getppid() != parent:
        sys.exit("the parent is gone")


def _outcome(function: Callable[[Any], Any], item: object) -> bytes:
    try:
        return pickle.dumps((True, function(item)), pickle.HIGHEST_PROTOCOL)
    except MemoryError:
        os._exit(1)  # what is left of this process cannot be relied on
    except Exception as error:  # noqa: BLE001  # the edge of this process: it travels to the parent
        return _failure(error)


def _failure(error: Exception) -> bytes:
    try:
        frame = pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)
        pickle.loads(frame)  # noqa: S301  # some errors cannot be made again of their arguments
    except Exception:  # noqa: BLE001  # what an error does when pickled is anybody's guess
        return pickle.dumps((False, CellFailed(type(error).__name__)), pickle.HIGHEST_PROTOCOL)
    return frame
