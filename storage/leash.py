"""Becomes a program that dies with whoever started it: ``python leash.py PARENT PROGRAM [ARG...]``.

A program and not a ``preexec_fn``, which may deadlock in a process with threads; and one that
imports nothing of ours, so that it costs milliseconds. Where the kernel knows no such signal
(macOS), the program runs without it.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        # Not SIGTERM: a server that takes its time to stop would meet the next one in its files.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the parent is gone already")
    os.execv(command[0], command)  # noqa: S606  # the program is our caller's choice


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
