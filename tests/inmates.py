"""Functions that nobody should run in a process of worth."""

import os
import tempfile
from collections.abc import Callable
from typing import Never

Deadly = Callable[[str], object]


class Untold(Exception):
    def __init__(self, one: int, other: int) -> None:
        super().__init__(str(one + other))


def fail(error: Exception) -> Never:
    raise error


def fail_untold(_: str) -> Never:
    raise Untold(1, 2)


def spin(_: str) -> Never:
    while True:
        pass


def swell(_: str) -> int:
    return len(b"x" * 10**10)


def die(_: str) -> Never:
    os._exit(3)


def write(folder: str) -> None:
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        file.write(b"x" * 10_000)
