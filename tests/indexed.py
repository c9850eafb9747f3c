"""Artifacts with chunks and vectors, put into an index for tests of what reads them."""

import hashlib
from dataclasses import dataclass, field

from sqlalchemy import insert

from storage import chunks
from storage.chunks import NewChunk
from storage.clock import now
from storage.connections import Connection
from storage.database import Tx
from storage.embedding import MODEL, StaticEmbedder, pack
from storage.ids import ArtifactId
from storage.tables import artifacts


@dataclass(slots=True)
class Library:
    """What a connection has, as an ingestion would have left it."""

    connection: Connection
    embedder: StaticEmbedder = field(default_factory=StaticEmbedder)

    async def add(self, tx: Tx, path: str, *texts: str, status: str = "ready") -> ArtifactId:
        """An artifact with one chunk a text."""
        made = await tx.execute(insert(artifacts).values(self._row(path, status)))
        assert made.inserted_primary_key is not None
        artifact = ArtifactId(made.inserted_primary_key[0])
        await self.replace(tx, artifact, path, *texts)
        return artifact

    async def replace(self, tx: Tx, artifact: ArtifactId, path: str, *texts: str) -> None:
        new = {artifact: self.chunks(artifact, path, *texts)}
        where = (self.connection.tenant, self.connection.id)
        await chunks.replace(tx, *where, new, model=MODEL)

    def chunks(self, artifact: ArtifactId, path: str, *texts: str) -> list[NewChunk]:
        vectors = pack(self.embedder.embed([f"{path}\n{text}" for text in texts]))
        return [
            NewChunk(
                artifact=artifact,
                ordinal=ordinal,
                start_byte=0,
                end_byte=len(text.encode()),
                start_line=ordinal * 10 + 1,
                end_line=ordinal * 10 + text.count("\n") + 1,
                symbol=f"part {ordinal}",
                header=path,
                text=text,
                tokens=len(text.split()),
                digest=hashlib.sha256(f"{path}\n{text}".encode()).hexdigest(),
                vector=vectors[ordinal],
            )
            for ordinal, text in enumerate(texts)
        ]

    def _row(self, path: str, status: str) -> dict[str, object]:
        return {
            "tenant_id": self.connection.tenant,
            "connection_id": self.connection.id,
            "partition": "files",
            "external_id": f"file:{path}",
            "status": status,
            "kind": "file",
            "title": path.rpartition("/")[2],
            "path": path,
            "url": f"https://example.org/{path}",
            "ready_key": hashlib.sha256(path.encode()).hexdigest(),
            "meta": {},
            "reading": {"summary": f"About {path}."},
            "created_at": now(),
            "updated_at": now(),
        }
