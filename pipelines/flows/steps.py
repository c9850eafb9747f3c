"""The parts of an ingestion, as something may run them: Prefect in a worker, or nothing at all."""

from dataclasses import dataclass
from typing import Protocol

from connectors.artifact import PartitionKey
from pipelines.flows import batch, crawl, retrying, tidy
from pipelines.flows.ingestion import Ingestion


class Steps(Protocol):
    async def crawl(self, partition: PartitionKey) -> None: ...

    async def batch(self, number: int) -> None: ...

    async def tidy(self, partition: PartitionKey) -> None: ...


@dataclass(frozen=True, slots=True)
class Plain:
    """Runs them just so."""

    ingestion: Ingestion

    async def crawl(self, partition: PartitionKey) -> None:
        find = retrying.retry if self.ingestion.work.run.only_failed else crawl.crawl
        await find(self.ingestion.work.context, self.ingestion, partition)

    async def batch(self, number: int) -> None:
        await batch.process(self.ingestion.work.context, self.ingestion, number)

    async def tidy(self, partition: PartitionKey) -> None:
        await tidy.tidy(self.ingestion.work.context, self.ingestion, partition)
