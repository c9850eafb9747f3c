"""What can go wrong where the work is done, named by what to do about it.

PipelineError
├── StageFailed     a component gave up on one item: record it, go on without the item
├── ItemFailed      an error in the workshop that could not travel as itself
├── WorkflowBroken  the workflow's own code has to be changed; tell whoever wrote it
├── PoisonItem      it killed, or hung, the process that worked on it: never try it again by itself
├── WorkshopClosed  the process is stopping: the attempt ends here, another one goes on
├── HandedOver      the worker is being drained: end the attempt at this boundary
└── MustWait        let the worker go, and go on from the last checkpoint when the wait is over
    └── MustAsk     until somebody has answered
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.artifact import FailureClass
from connectors.errors import (
    ArtifactGone,
    ArtifactUnreadable,
    ConnectorError,
    ReauthorizationNeeded,
    SourceInvalid,
    SourceMissing,
    SourceRefused,
    SourceUnavailable,
)
from storage.events import WaitingReason

_LOOK = "Look at the worker's log; if it stays, report it with the lines from there."


class PipelineError(Exception):
    """Something about the work itself."""


class ItemFailed(PipelineError):
    """Says the name and the message of the error it stands for."""


class PoisonItem(PipelineError):
    def __init__(self, function: str, how: str) -> None:
        super().__init__(f"{function} {how}")


class WorkflowBroken(PipelineError):
    failure = FailureClass.INTERNAL

    def __init__(self, message: str, *, action: str) -> None:
        super().__init__(message)
        self.action = action


class WorkshopClosed(PipelineError):
    def __init__(self) -> None:
        super().__init__("the workshop is closed")


class HandedOver(PipelineError):
    def __init__(self) -> None:
        super().__init__("this worker is being drained; another one goes on")


class MustWait(PipelineError):
    """The run can do nothing for now: it waits with nobody at it, and nothing of it is lost.

    ``message`` and ``action`` are for the user. It is taken up again at ``until``; without one only
    when it is woken (``storage.runs.wake``), so give one where nobody is sure to wake it. For a
    wait of seconds, sleep instead: to let go and to be taken up again costs about as much.
    """

    def __init__(
        self, reason: WaitingReason, message: str, *, action: str, until: datetime | None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.action = action
        self.until = until

    def told(self) -> dict[str, Any]:
        """What those who watch the run see of it, as its ``reason``."""
        return {
            "code": self.reason,
            "message": str(self),
            "action": self.action,
            "until": self.until and self.until.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Question:
    """``name`` tells it from the run's other ones; ``schema`` is the JSON Schema of the answer.

    ``about`` is what somebody must see to answer it, as JSON.
    """

    name: str
    schema: Mapping[str, Any]
    about: Any = None


class MustAsk(MustWait):
    """Somebody has to answer. ``refused``: when they gave an answer that cannot be taken."""

    def __init__(
        self, question: Question, message: str, *, refused: datetime | None = None
    ) -> None:
        action = f"Answer {question.name!r} at POST /v1/runs/{{id}}/input."
        super().__init__(WaitingReason.INPUT, message, action=action, until=None)
        self.question = question
        self.refused = refused

    def told(self) -> dict[str, Any]:
        asked = self.question
        question = {"name": asked.name, "answer_schema": dict(asked.schema)}
        return {**MustWait.told(self), "question": {**question, "about": asked.about}}


def longest(waits: Sequence[MustWait]) -> MustWait:
    """Of several, the one that ends last: before that there is no use in trying again."""
    return max(waits, key=lambda wait: (wait.until is None, wait.until or _NEVER))


@dataclass(frozen=True, slots=True)
class Explanation:
    """An error in words for the user: its class, what happened, and what they can do."""

    failure: FailureClass
    detail: str
    action: str


class StageFailed(PipelineError):
    """A component gave up. The cause is chained; ``explanation`` is for the user."""

    def __init__(self, component: str, cause: Exception) -> None:
        self.component = component
        self.explanation = explain(cause)
        super().__init__(f"{component} failed: {self.explanation.detail}")


def explain(error: Exception) -> Explanation:
    """Say what an error means for the item it happened to."""
    if isinstance(error, StageFailed):
        return error.explanation
    if isinstance(error, PoisonItem):
        action = "It is left out, so that the rest goes on. Please report the file."
        return Explanation(FailureClass.POISON, str(error), action)
    if isinstance(error, TimeoutError):
        action = "Start again; if it stays, the item is too much work for this machine."
        return Explanation(FailureClass.TRANSIENT, str(error) or "it took too long", action)
    if isinstance(error, ConnectorError):
        return Explanation(_CLASS_OF.get(type(error), _INTERNAL), str(error), error.action)
    stated = getattr(error, "failure", None)
    if isinstance(stated, FailureClass):
        return Explanation(stated, str(error), getattr(error, "action", _LOOK))
    return Explanation(_INTERNAL, f"{type(error).__name__}: {error}", _LOOK)


_NEVER = datetime.max.replace(tzinfo=UTC)
_INTERNAL = FailureClass.INTERNAL
_CLASS_OF: dict[type[ConnectorError], FailureClass] = {
    ArtifactGone: FailureClass.NOT_FOUND,
    ArtifactUnreadable: FailureClass.MALFORMED,
    ReauthorizationNeeded: FailureClass.AUTH_EXPIRED,
    SourceInvalid: FailureClass.MALFORMED,
    SourceMissing: FailureClass.NOT_FOUND,
    SourceRefused: FailureClass.FORBIDDEN,
    SourceUnavailable: FailureClass.TRANSIENT,
}
