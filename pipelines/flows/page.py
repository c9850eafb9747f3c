"""What a source said, set against what is known: who is new, who has changed, who is as before.

Pure: no I/O. The rule that keeps the counts exact: whoever this run has counted already (its rows
bear the run's id) is not found a second time, however often a source or a restart names it.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.artifact import Artifact, ExternalId, PartitionKey, Ref
from connectors.connector import Content, Fetched
from connectors.errors import ArtifactGone, ConnectorError
from connectors.events import AccessLost, Failed, Skipped, Tombstone, Upsert
from pipelines.stages import is_made
from storage.artifacts import ArtifactStatus, Known, NewArtifact
from storage.counts import Counts
from storage.ids import RunId

MOST = 250
MOST_BYTES = 8_000_000


@dataclass(slots=True)
class Page:
    """What was said since the last one; of an artifact named twice, the latest."""

    upserts: dict[ExternalId, Artifact] = field(default_factory=dict[ExternalId, Artifact])
    skips: dict[ExternalId, Skipped] = field(default_factory=dict[ExternalId, Skipped])
    failed: dict[ExternalId, Failed] = field(default_factory=dict[ExternalId, Failed])
    parts: list[Failed] = field(default_factory=list[Failed])
    gone: dict[ExternalId, Ref] = field(default_factory=dict[ExternalId, Ref])
    lost: dict[ExternalId, Ref] = field(default_factory=dict[ExternalId, Ref])
    lost_parts: list[PartitionKey] = field(default_factory=list[PartitionKey])
    size_bytes: int = 0

    def add(self, event: Upsert | Tombstone | AccessLost | Skipped | Failed) -> None:
        ref = event.artifact.ref if isinstance(event, Upsert) else event.ref
        if ref is not None:
            self._forget(ref.external_id)
        match event:
            case Upsert(artifact):
                self.upserts[artifact.ref.external_id] = artifact
                self.size_bytes += artifact.size or 0
            case Skipped():
                self.skips[event.ref.external_id] = event
            case Tombstone():
                self.gone[event.ref.external_id] = event.ref
            case AccessLost():
                self._lose(event)
            case Failed(None):
                self.parts.append(event)
            case Failed(Ref() as failed):
                self.failed[failed.external_id] = event

    @property
    def ids(self) -> list[ExternalId]:
        return [external_id for said in self._said for external_id in said]

    @property
    def empty(self) -> bool:
        return self.only_there and not self.upserts and not self.skips

    @property
    def only_there(self) -> bool:
        """Whether nothing is named but artifacts that are there."""
        return not any((self.failed, self.parts, self.gone, self.lost, self.lost_parts))

    def drop(self, external_ids: Collection[ExternalId]) -> None:
        """Forget what was said of these."""
        for external_id in external_ids:
            self.size_bytes -= self.upserts.pop(external_id).size or 0

    def full(self, most: int = MOST) -> bool:
        named = sum(map(len, self._said)) + len(self.parts)
        return named >= most or self.size_bytes >= MOST_BYTES

    @property
    def _said(self) -> Sequence[dict[ExternalId, Any]]:
        return self.upserts, self.skips, self.failed, self.gone, self.lost

    def _lose(self, event: AccessLost) -> None:
        if event.ref is None:
            self.lost_parts.append(event.partition)
        else:
            self.lost[event.ref.external_id] = event.ref

    def _forget(self, external_id: ExternalId) -> None:
        for said in self._said:
            said.pop(external_id, None)


@dataclass(slots=True)
class Plan:
    """What to do about a page's upserts."""

    fetch: list[Artifact] = field(default_factory=list[Artifact])
    stage: list[NewArtifact] = field(default_factory=list[NewArtifact])
    touch: list[NewArtifact] = field(default_factory=list[NewArtifact])
    bodies: dict[str, bytes] = field(default_factory=dict[str, bytes])
    skips: dict[ExternalId, Skipped] = field(default_factory=dict[ExternalId, Skipped])
    failed: dict[ExternalId, ConnectorError] = field(
        default_factory=dict[ExternalId, ConnectorError]
    )
    unchanged: set[ExternalId] = field(default_factory=set[ExternalId])
    skipped_again: dict[ExternalId, str] = field(default_factory=dict[ExternalId, str])
    again: set[ExternalId] = field(default_factory=set[ExternalId])
    """Those of ``stage`` that keep what is known of them, as their contents may have told it."""

    fetched_bytes: int = 0

    @property
    def counts(self) -> Counts:
        """What is settled by looking; what is staged, skipped or failed is counted as written."""
        return Counts(
            found=len(self.settled),
            unchanged=len(self.unchanged),
            skipped=Counter(self.skipped_again.values()),
            bytes=self.fetched_bytes,
        )

    @property
    def news(self) -> set[ExternalId]:
        """Those to be fetched or processed."""
        return {each.ref.external_id for each in self.fetch} | {
            ExternalId(each.external_id) for each in self.stage
        }

    @property
    def settled(self) -> set[ExternalId]:
        """Those counted here without a change to their rows."""
        return self.unchanged | self.skipped_again.keys()


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of a page's artifacts, and what this run has done about them."""

    run: RunId
    known: Mapping[str, Known]
    counted: Sequence[Container[ExternalId]]
    reader: str = ""
    """Which model reads, if one does: what it has not read is to be read."""

    def settled(self, external_id: ExternalId, version: str | None) -> bool:
        """Whether this run has counted it, as it is."""
        known = self.known.get(external_id)
        mine = known is not None and known.run_id == self.run and known.version == version
        return mine or any(external_id in each for each in self.counted)

    def found(self, external_ids: Sequence[ExternalId]) -> int:
        """How many of them this run has not found yet."""
        return sum(not self._owed(external_id) for external_id in external_ids)

    def _owed(self, external_id: ExternalId) -> bool:
        known = self.known.get(external_id)
        return bool(known and known.run_id == self.run and known.status is ArtifactStatus.STAGED)


def sort(page: Page, before: Before) -> Plan:
    """Decide by the versions alone who needs to be fetched."""
    plan = Plan()
    for external_id, artifact in page.upserts.items():
        known = before.known.get(external_id)
        if before.settled(external_id, artifact.version):
            continue
        if known is None or known.version != artifact.version or _was_lost(known):
            plan.fetch.append(artifact)
        elif known.status is ArtifactStatus.SKIPPED and known.reason:
            plan.skipped_again[external_id] = known.reason
        elif known.digest is None:
            plan.fetch.append(artifact)
        elif _is_ready(known, known.digest, before.reader):
            plan.unchanged.add(external_id)
        else:  # interrupted, failed, or made by older components: its content is stored
            plan.stage.append(described(artifact, known.digest))
            plan.again.add(external_id)
    return plan


def weigh(plan: Plan, before: Before, fetched: Mapping[Ref, Fetched]) -> None:
    """Decide by the contents who is new, and add them to the plan."""
    for artifact in plan.fetch:
        external_id = artifact.ref.external_id
        match fetched.get(artifact.ref):
            case bytes(body):
                _weigh_body(plan, artifact, body, before)
            case Content() as content:
                told = replace(content.artifact, version=artifact.version)
                for each, body in [(told, content.body), *_parts(content)]:
                    _weigh_body(plan, replace(each, priority=artifact.priority), body, before)
                inner = [part for part in content.parts if isinstance(part, Skipped)]
                plan.skips |= {part.ref.external_id: part for part in inner}
            case Skipped() as skipped:
                plan.skips[external_id] = skipped
            case ArtifactGone() | None:
                continue  # as if it had not been named: the census will tell
            case error:
                plan.failed[external_id] = error


def _parts(content: Content) -> list[tuple[Artifact, bytes]]:
    return [(part.artifact, part.body) for part in content.parts if isinstance(part, Content)]


def parts(fetched: Mapping[Ref, Fetched]) -> list[ExternalId]:
    """Those that only the contents told of."""
    contents = (content for content in fetched.values() if isinstance(content, Content))
    inner = (part for content in contents for part in content.parts)
    refs = (part.artifact.ref if isinstance(part, Content) else part.ref for part in inner)
    return [ref.external_id for ref in refs]


def _weigh_body(plan: Plan, artifact: Artifact, body: bytes, before: Before) -> None:
    plan.fetched_bytes += len(body)
    known = before.known.get(artifact.ref.external_id)
    digest = hashlib.sha256(body).hexdigest()
    if known is not None and known.digest == digest and _is_ready(known, digest, before.reader):
        plan.touch.append(described(artifact, digest, len(body)))
        plan.unchanged.add(artifact.ref.external_id)
        return
    plan.bodies[digest] = body
    plan.stage.append(described(artifact, digest, len(body)))


def _was_lost(known: Known) -> bool:
    """It may have come back with other parts than it had."""
    return known.status is ArtifactStatus.HIDDEN


def _is_ready(known: Known, digest: str, reader: str) -> bool:
    return known.status is ArtifactStatus.READY and is_made(known.ready_key, digest, reader)


def described(artifact: Artifact, digest: str = "", size: int | None = None) -> NewArtifact:
    """As it is kept: with the digest of its content, if that is there."""
    return NewArtifact(
        partition=artifact.ref.partition,
        external_id=artifact.ref.external_id,
        kind=artifact.kind,
        title=artifact.title,
        path=artifact.path,
        url=artifact.url,
        mime=artifact.mime,
        size=artifact.size if size is None else size,
        version=artifact.version,
        digest=digest,
        priority=artifact.priority,
        meta=artifact.meta,
        created_at=artifact.created_at,
        updated_at=artifact.updated_at,
    )


def by_reason(skips: Mapping[ExternalId, Skipped]) -> Mapping[str, int]:
    return Counter(skip.reason.value for skip in skips.values())
