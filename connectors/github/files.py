"""The files of one commit, judged and put in order. No I/O."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from connectors.artifact import Artifact, ExternalId, PartitionKey, Priority, Ref
from connectors.events import Event, Skipped, Tombstone, Upsert
from connectors.github.config import GitHubConfig
from connectors.local.protocol import Entry, Nature, external_id, priority, shown
from connectors.local.rules import Rules
from connectors.local.selection import Item, Selection

RULE_FILES = frozenset({".gitattributes", ".headwaterignore"})
MOST_RULE_FILES = 200
_ORDER = "1"  # raise it when the reading order or the selection changes
_FIRST_FILES, _FIRST_BYTES = 40, 100_000
_RULE_BYTES = 200_000


def fingerprint(config: GitHubConfig) -> str:
    """What the reading order depends on beside the commit."""
    told = (_ORDER, *config.include, "\0", *config.exclude, str(config.max_bytes))
    return hashlib.sha256("\0".join(told).encode()).hexdigest()[:32]


def beforehand(entries: Sequence[Entry]) -> Sequence[Entry]:
    """What is read before all else: rules about the other files, and what is asked about first."""
    files = [each for each in entries if each.nature is Nature.FILE]
    rules = [each for each in files if _name(each) in RULE_FILES and (each.size or 0) < _RULE_BYTES]
    first = [each for each in files if priority(each.path) is Priority.FIRST]
    first = [each for each in first if 0 < (each.size or 0) <= _FIRST_BYTES][:_FIRST_FILES]
    rules.sort(key=lambda each: each.path.count("/"))
    return rules[:MOST_RULE_FILES] + first


def rules_of(entries: Sequence[Entry], contents: Mapping[str, object]) -> Rules:
    rules = Rules()
    for entry in sorted(entries, key=lambda each: each.path):
        folder, _, name = shown(entry.path).rpartition("/")
        content = contents.get(entry.version)
        if name in RULE_FILES and isinstance(content, bytes):
            rules.add(f"{folder}/" if folder else "", name, content)
    return rules


@dataclass(frozen=True)
class Files:
    """``items`` in reading order: what is asked about first, then as the tree has them."""

    partition: PartitionKey
    repository: int
    name: str
    commit: str
    tree: str
    items: Sequence[Item]
    entries: Sequence[Entry]

    @classmethod
    def judged(
        cls,
        partition: PartitionKey,
        config: GitHubConfig,
        place: tuple[int, str, str, str],
        entries: Sequence[Entry],
        rules: Rules,
    ) -> "Files":
        """``place`` is the repository's id and name, the commit and its tree."""
        selection = Selection(
            rules, include=config.include, exclude=config.exclude, max_bytes=config.max_bytes
        )
        wanted = [entry for entry in entries if selection.wants(entry.path)]
        soon = {entry.path for entry in beforehand(entries)}
        items = [selection.judge(entry) for entry in wanted]
        items.sort(key=lambda item: not (item.entry.path in soon and _is_first(item)))
        return cls(partition, *place, items, entries)

    @cached_property
    def by_id(self) -> Mapping[ExternalId, Item]:
        return {self.id(item): item for item in self.items}

    @cached_property
    def order(self) -> Mapping[str, int]:
        return {entry.path: number for number, entry in enumerate(self.entries)}

    @cached_property
    def size_bytes(self) -> int:
        return sum(entry.size or 0 for entry in self.entries)

    @property
    def wanted(self) -> list[Item]:
        return [item for item in self.items if not item.skip]

    def id(self, item: Item) -> ExternalId:
        return self.id_of(item.id)

    def id_of(self, local: str) -> ExternalId:
        return ExternalId(f"file:{self.repository}:{local.removeprefix('file:')}")

    def event(self, item: Item) -> Event:
        ref, path = Ref(self.partition, self.id(item)), shown(item.entry.path)
        if item.skip:
            return Skipped(ref, item.skip.reason, item.skip.detail, path, item.entry.size)
        return Upsert(
            Artifact(
                ref=ref,
                version=item.entry.version,
                kind="file",
                title=path.rpartition("/")[2],
                path=path,
                size=item.entry.size,
                priority=item.priority,
                meta={"repository": self.name, "commit": self.commit},
            )
        )

    def changed(self, before: Sequence[Entry]) -> list[Item]:
        """Which of the wanted ones are new or have another content than in that tree."""
        known = {entry.path: entry.version for entry in before}
        return [item for item in self.wanted if known.get(item.entry.path) != item.entry.version]

    def removed(self, before: Sequence[Entry]) -> list[Event]:
        """What was in that tree, and is not in this one."""
        gone = [entry.path for entry in before if entry.path not in self.order]
        return [Tombstone(Ref(self.partition, self.id_of(external_id(path)))) for path in gone]


def _is_first(item: Item) -> bool:
    return item.priority is Priority.FIRST and not item.skip


def _name(entry: Entry) -> str:
    return entry.path.rpartition("/")[2]
