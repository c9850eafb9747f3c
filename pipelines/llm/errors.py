"""What can go wrong when a model is asked, sorted once: the class says what to do about it.

ModelError
├── Paced             wait in the limiter's queue; the try does not count
│   ├── Ramping       and ask for less for a while: our rate rose too fast
│   └── SpentForToday and that takes hours: give the worker back
├── ProviderDown      the provider does not answer anybody: wait, one probe looks
├── AnswerLost        no answer to this call, at unknown cost: try again, and count it
├── AccountRefused    the run waits until somebody with the account does something
│   ├── KeyRefused
│   ├── CreditExhausted
│   └── AddressWrong  what answers at the base URL is no model provider
├── ModelUnknown      the run waits until the configuration names a model that exists
├── NotSupported      ask the same again: it is put otherwise from now on
├── CallRejected      the provider finds fault with the call itself: never ask again
├── TooLong           more than the model's context: ask in smaller pieces
├── AnswerCut         the answer did not fit its cap: ask with more room, then smaller pieces
├── AnswerMalformed   no JSON, or not in the schema: ask again once, and once in the next run
├── Refused           the model or its provider will not answer this: never ask again
└── VectorsInvalid    not the vectors that were asked for: try again, and count it
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

from connectors.artifact import FailureClass
from pipelines.errors import PipelineError
from pipelines.llm.gateway import Usage

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


class Verdict(StrEnum):
    """What the caller does about an error."""

    QUEUE = "queue"  # behind the limiter again, at no cost to the item
    WAIT = "wait"  # for the provider: long, and with the worker given back
    RETRY = "retry"  # here, a few times, within the retry budget
    ADAPT = "adapt"  # never the same call again: more room, a smaller piece, fewer parameters
    ASK = "ask"  # a person must do something; the run waits, nothing fails
    FAIL = "fail"  # this item, and only this item


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the provider said with an error. ``headers`` as in ``Provenance``.

    ``usage`` is what was paid in spite of it, where the provider tells: a cut answer costs as much
    as a whole one. ``status`` is None when there was no HTTP reply.
    """

    status: int | None = None
    code: str | None = None
    request_id: str | None = None
    retry_after: timedelta | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    usage: Usage | None = None


class ModelError(PipelineError):
    """A model did not answer as asked. Neither text nor the key is ever in the message."""

    verdict: ClassVar[Verdict] = Verdict.FAIL
    failure: ClassVar[FailureClass] = FailureClass.TRANSIENT
    action: ClassVar[str] = "Nothing to do: it is tried again."

    def __init__(self, message: str, *, model: str, reply: Reply | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.model = model
        self.reply = reply or Reply()

    @property
    def code(self) -> str:
        """The class's name, as it stands in data: ``answer_cut``."""
        return _CAPITAL.sub("_", type(self).__name__).lower()

    @property
    def retry_after(self) -> timedelta | None:
        """How long the provider asked us to wait."""
        return self.reply.retry_after

    def __reduce__(self) -> tuple[object, ...]:
        return _made, (type(self), self.message, self.model, self.reply)


class Paced(ModelError):
    verdict = Verdict.QUEUE
    failure = FailureClass.RATE_LIMITED


class Ramping(Paced):
    """OpenAI's ``slow_down`` and Anthropic's acceleration limits: within the rate, but too soon."""


class SpentForToday(Paced):
    """A limit of the day, or a wait of more than two minutes."""

    verdict = Verdict.WAIT


class ProviderDown(ModelError):
    verdict = Verdict.WAIT


class AnswerLost(ModelError):
    verdict = Verdict.RETRY
    action = "Start again; if it stays, the provider cuts long answers off."


class AccountRefused(ModelError):
    verdict = Verdict.ASK
    failure = FailureClass.FORBIDDEN
    action = "Look at the account at the provider, then resume the run."


class KeyRefused(AccountRefused):
    failure = FailureClass.AUTH_EXPIRED
    action = "Set OPENAI_API_KEY to a key that may use this model, and restart the workers."


class CreditExhausted(AccountRefused):
    action = "Add credit or raise the spending limit at the provider, then resume the run."


class AddressWrong(AccountRefused):
    failure = FailureClass.NOT_FOUND
    action = "Set OPENAI_BASE_URL to the provider's address, which often ends in /v1, and restart."


class ModelUnknown(ModelError):
    verdict = Verdict.ASK
    failure = FailureClass.NOT_FOUND
    action = (
        "Set HEADWATER_MODEL, or HEADWATER_EMBEDDING_MODEL, to a model that the provider offers, "
        "and restart the workers."
    )


class NotSupported(ModelError):
    """A parameter (``reply.code``), most often the JSON schema."""

    verdict = Verdict.RETRY
    failure = FailureClass.MALFORMED
    action = "Use a model that can answer in a JSON schema."


class CallRejected(ModelError):
    failure = FailureClass.MALFORMED
    action = "Look the code up at the provider, and report it."


class TooLong(ModelError):
    verdict = Verdict.ADAPT
    failure = FailureClass.TOO_LARGE
    action = "Use a model with a longer context; until then it is found by its words."


class AnswerCut(ModelError):
    verdict = Verdict.ADAPT
    failure = FailureClass.TOO_LARGE
    action = "Use a model with a longer output; until then it is found by its words."


class AnswerMalformed(ModelError):
    verdict = Verdict.ADAPT
    failure = FailureClass.MALFORMED
    action = (
        "Start again, which asks once more; if that does not help, use a model that keeps to JSON "
        "schemas better."
    )


class Refused(ModelError):
    verdict = Verdict.FAIL
    failure = FailureClass.FORBIDDEN
    action = "Nothing to do: it is found by its words, and was not read by a model."


class VectorsInvalid(ModelError):
    verdict = Verdict.RETRY
    failure = FailureClass.MALFORMED
    action = "Check that HEADWATER_EMBEDDING_MODEL names a model that embeds, then restart."


def _made(kind: type[ModelError], message: str, model: str, reply: Reply) -> ModelError:
    return kind(message, model=model, reply=reply)
