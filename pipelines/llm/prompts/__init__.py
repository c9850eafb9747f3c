"""What models are told: a file each, named by what it is for and by its version.

A file that was released is not changed: its successor gets the next number, and with it what was
read by the old one is read again. ``tests/unit/test_llm_prompts.py`` knows their digests.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Prompt:
    name: str
    version: int
    text: str

    @property
    def address(self) -> str:
        return f"{self.name}/{self.version}"


@cache
def load(name: str, version: int) -> Prompt:
    file = files(__package__) / f"{name}.{version}.md"
    return Prompt(name, version, file.read_text(encoding="utf-8").strip())
