"""Looking at processes from outside."""

import os
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether it still runs. A zombie does not: it only waits to be reaped, by whoever it got."""
    try:
        os.kill(pid, 0)
        return state_of(pid) != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def state_of(pid: int) -> str:
    """The kernel's letter for it; empty where the kernel shows no such files."""
    if not Path("/proc/self").exists():
        return ""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
