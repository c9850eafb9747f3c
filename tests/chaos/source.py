"""A seeded folder to ingest, which knows what an index of it must hold."""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests import trees
from tests.chaos.rig import Script

WORDS = (
    *("river", "stream", "source", "mouth", "delta", "bank", "flood", "gauge", "weir", "lock"),
    *("dam", "reservoir", "channel", "current", "spring", "brook", "meander", "estuary", "tide"),
    *("basin", "catchment", "runoff", "snowmelt", "rapids", "ford", "bridge", "Übergang"),
)
POISON = "the document that kills whoever reads it"
"""What ``tests.chaos.laborer`` does not survive."""


@dataclass(slots=True)
class Source:
    """``kept`` are the files to be indexed, ``left`` those to be skipped, by path."""

    place: Path
    rng: random.Random
    git: bool = False
    kept: dict[str, bytes] = field(default_factory=dict[str, bytes])
    left: dict[str, bytes] = field(default_factory=dict[str, bytes])

    @property
    def folder(self) -> Path:
        return self.place / "source"

    @property
    def script(self) -> Path:
        return self.place / "script.json"

    def make(self, size: int) -> None:
        self.kept = {"README.md": self._prose(), "pyproject.toml": b"[project]\nname = 'river'\n"}
        while len(self.kept) < size:
            self._add()
        self.left = {"logo.png": b"\x89PNG\r\n\x1a\n" + bytes(64), "docs/empty.md": b""}
        self.tell(Script())
        self._write()

    def change(self) -> None:
        """Some files are edited, some are new, some are gone."""
        names = sorted(set(self.kept) - {"README.md"})
        self.rng.shuffle(names)
        for name in names[:3]:
            del self.kept[name]
            (self.folder / name).unlink()
        for name in names[3:8]:
            self.kept[name] = self._content(name)
        for _ in range(4):
            self._add()
        self._write()

    def lose(self, share: float) -> None:
        """So many are gone at once that nobody should believe it."""
        names = sorted(set(self.kept) - {"README.md"})
        for name in names[: int(len(names) * share)]:
            del self.kept[name]
            (self.folder / name).unlink()

    def poison(self) -> str:
        self.kept["notes/poison.md"] = f"# Poison\n\n{POISON}\n".encode()
        self._write()
        return "notes/poison.md"

    def tell(self, script: Script) -> None:
        self.place.mkdir(parents=True, exist_ok=True)
        beside = self.script.with_suffix(".new")
        beside.write_text(script.model_dump_json())
        beside.replace(self.script)  # a reader sees the old one or the new one

    def digests(self) -> Mapping[str, str]:
        """What must be indexed: content by external id."""
        return {
            f"file:{name}": hashlib.sha256(body).hexdigest() for name, body in self.kept.items()
        }

    def _write(self) -> None:
        trees.write(self.folder, {**self.kept, **self.left})
        if self.git and not (self.folder / ".git").exists():
            trees.git(self.folder, "init", "--quiet")
        if self.git:
            trees.commit(self.folder)

    def _add(self) -> None:
        kind = self.rng.choice((".md", ".md", ".py", ".txt", ".json"))
        folder = self.rng.choice(("", "docs/", "src/", "src/deep/er/", "tests/"))
        name = f"{folder}{self.rng.choice(WORDS)}-{self.rng.randrange(10**6)}{kind}"
        self.kept[name] = self._content(name)

    def _content(self, name: str) -> bytes:
        if name.endswith(".py"):
            return self._code()
        if name.endswith(".json"):
            return f'{{"{self._words(1)}": {self.rng.randrange(10**9)}}}\n'.encode()
        if name.endswith(".txt"):
            return self._words(60).encode("latin-1" if self.rng.random() < 0.2 else "utf-8")
        return self._prose()

    def _prose(self) -> bytes:
        parts = [f"# {self._words(3)}", *(self._words(40) for _ in range(self.rng.randint(1, 6)))]
        return ("\n\n".join(parts) + "\n").encode()

    def _code(self) -> bytes:
        return "\n\n".join(
            f'def {self.rng.choice(WORDS[:25])}_{number}(value):\n    """{self._words(8)}"""\n'
            f"    return value + {self.rng.randrange(10**6)}\n"
            for number in range(self.rng.randint(1, 5))
        ).encode()

    def _words(self, number: int) -> str:
        return " ".join(self.rng.choices(WORDS, k=number))
