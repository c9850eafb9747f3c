"""Mails on their way in: found again by their ids, downloaded in bearable batches, and read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.artifact import Artifact, ExternalId, Ref
from connectors.connector import Fetched
from connectors.errors import ArtifactGone, ArtifactUnreadable
from connectors.imap.protocol import Entry, external_id, message_id_of
from connectors.imap.session import Session
from connectors.mail.attached import Cells, legible
from connectors.mail.letter import MOST_BYTES
from connectors.mail.reading import Mail, read

_BATCH_BYTES = 16_000_000
_FRONT_BYTES = 2_000_000  # of a mail that is too large to be taken whole: its words come first
_LISTED = 500


@dataclass(slots=True)
class Fetching:
    """``found`` is where mails are known to lie, and is added to."""

    session: Session
    cells: Cells
    mailboxes: Sequence[str]
    found: dict[str, tuple[str, int, int]]
    _entries: dict[ExternalId, Entry] = field(default_factory=dict[ExternalId, Entry])

    async def fetch(self, refs: Sequence[Ref]) -> Mapping[Ref, Fetched]:
        wanted = list(dict.fromkeys(refs))
        await self._locate([ref.external_id for ref in wanted])
        bodies = await self._download([ref.external_id for ref in wanted])
        known = await self._known_parents(bodies)
        answers: dict[Ref, Fetched] = {}
        for ref in wanted:
            answers[ref] = await self._read(ref, bodies.get(ref.external_id), known)
        return answers

    async def _read(self, ref: Ref, body: bytes | None, known: frozenset[str]) -> Fetched:
        entry = self._entries.get(ref.external_id)
        if body is None or entry is None:
            return ArtifactGone(f"{ref.external_id} is not there any more")
        mail = Mail(body, known=entry.parent in known, cut=len(body) < entry.size)
        try:
            rendered = await read(self.cells.mail, mail)
        except ArtifactUnreadable as error:
            return error
        told = Artifact(
            ref=ref,
            version=entry.version,
            kind="message",
            title=entry.title,
            size=entry.size,
            created_at=entry.received_at,
            meta={"mailbox": entry.mailbox},
        )
        return await legible(self.cells, rendered, told, received_at=entry.received_at)

    async def _locate(self, ids: Sequence[ExternalId]) -> None:
        """Find those that were not listed in this session: a retry knows a mail by its id alone."""
        lost = [each for each in ids if each not in self.found]
        named = {message_id: each for each in lost if (message_id := message_id_of(each))}
        for mailbox in self.mailboxes:
            for entry in await self._search(mailbox, list(named)):
                self._keep(entry)
            named = {name: each for name, each in named.items() if each not in self.found}
        nameless = {each for each in lost if message_id_of(each) is None}
        if nameless:
            await self._look_through(nameless)

    async def _search(self, mailbox: str, message_ids: list[str]) -> list[Entry]:
        return await self.session.find(mailbox, message_ids) if message_ids else []

    async def _look_through(self, nameless: set[ExternalId]) -> None:
        for mailbox in self.mailboxes:
            status = await self.session.status(mailbox)
            high = status.next_uid - 1
            pages = self.session.listed(mailbox, status.validity, 1, high, page=_LISTED)
            async for page, _ in pages:
                for entry in (each for each in page if each.id in nameless):
                    self._keep(entry)

    def _keep(self, entry: Entry) -> None:
        self.found.setdefault(entry.id, (entry.mailbox, entry.uid, entry.size))

    async def _download(self, ids: Sequence[ExternalId]) -> dict[ExternalId, bytes]:
        """The bytes of those that are there, and what the server lists of them now."""
        bodies: dict[ExternalId, bytes] = {}
        for mailbox, batch in self._batches(ids):
            uids = [uid for _, uid, _ in batch]
            status = await self.session.status(mailbox)
            listed = await self.session.entries(mailbox, status.validity, uids)
            by_uid = {entry.uid: entry for entry in listed}
            most = _FRONT_BYTES if batch[0][2] > MOST_BYTES else MOST_BYTES
            got = await self.session.bodies(mailbox, uids, most=most)
            for external, uid, _ in batch:
                entry = by_uid.get(uid)
                if entry is not None and entry.id == external and uid in got:
                    bodies[external] = got[uid]
                    self._entries[external] = entry
                else:
                    self.found.pop(external, None)  # it lies elsewhere by now, if anywhere
        return bodies

    def _batches(
        self, ids: Sequence[ExternalId]
    ) -> Iterator[tuple[str, list[tuple[ExternalId, int, int]]]]:
        """Mails of one mailbox that fit into memory together; one that is too large, alone."""
        by_mailbox: dict[str, list[tuple[ExternalId, int, int]]] = {}
        for each in ids:
            if each in self.found:
                mailbox, uid, size = self.found[each]
                by_mailbox.setdefault(mailbox, []).append((each, uid, size))
        for mailbox, places in by_mailbox.items():
            batch: list[tuple[ExternalId, int, int]] = []
            for place in places:
                if batch and sum(size for *_, size in batch) + place[2] > _BATCH_BYTES:
                    yield mailbox, batch
                    batch = []
                batch.append(place)
            yield mailbox, batch

    async def _known_parents(self, bodies: Mapping[ExternalId, bytes]) -> frozenset[str]:
        """Which of the mails that these answer are in the inbox."""
        parents = {self._entries[each].parent for each in bodies} - {""}
        known = {parent for parent in parents if external_id(parent) in self.found}
        for mailbox in self.mailboxes:
            missing = sorted(parents - known)
            found = {entry.id for entry in await self._search(mailbox, missing)}
            known |= {parent for parent in missing if external_id(parent) in found}
        return frozenset(known)
