"""Letting a run go that asks somebody, so that no answer is missed."""

from datetime import datetime

from pipelines.errors import MustAsk
from pipelines.runtime import Work
from storage import questions
from storage.clock import shared_now
from storage.database import Tx


async def ask(tx: Tx, work: Work, wait: MustAsk) -> datetime | None:
    """When the run looks again by itself: at once if they were faster. In the run's transaction."""
    run, question = work.run, wait.question
    opened = await questions.ask(
        tx, run.tenant, run.id, question.name, question.schema, refused=wait.refused
    )
    return None if opened else await shared_now(tx)
