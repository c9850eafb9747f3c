"""What providers answer, as far as it is used: checked, for it comes from outside.

Chat completions and embeddings as every compatible server speaks them
(https://platform.openai.com/docs/api-reference/chat). The SDK's own types accept anything.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.llm.gateway import Usage

M = TypeVar("M", bound=BaseModel)


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Cached(_Said):
    cached_tokens: int | None = Field(default=None, ge=0)


class _Usage(_Said):
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    prompt_tokens_details: _Cached | None = None

    def counted(self) -> Usage:
        cached = (self.prompt_tokens_details or _Cached()).cached_tokens or 0
        return Usage(
            input=self.prompt_tokens,
            cached=min(cached, self.prompt_tokens),
            output=self.completion_tokens,
        )


class _Message(_Said):
    content: str | None = None
    refusal: str | None = None


class _Choice(_Said):
    message: _Message
    finish_reason: str | None = None


class Completion(_Said):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None
    model: str | None = None

    @property
    def message(self) -> _Message:
        return self.choices[0].message

    @property
    def finish_reason(self) -> str | None:
        return self.choices[0].finish_reason


class _PieceChoice(_Said):
    delta: _Message = _Message()
    finish_reason: str | None = None


class CompletionPiece(_Said):
    choices: list[_PieceChoice] = []
    usage: _Usage | None = None
    model: str | None = None


class _Vector(_Said):
    index: int = Field(ge=0)
    embedding: list[float]


class Vectors(_Said):
    data: list[_Vector]
    usage: _Usage | None = None
    model: str | None = None

    def rows(self, *, texts: int, dimension: int | None) -> NDArray[np.float32]:
        """One a text, in their order. Raises ``ValueError`` that says what is wrong."""
        ordered = sorted(self.data, key=lambda each: each.index)
        if [each.index for each in ordered] != list(range(texts)):
            raise ValueError(f"{len(ordered)} vectors came for {texts} texts, or twice the same")
        lengths = {len(each.embedding) for each in ordered}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError("the vectors are not all of one dimension")
        if dimension is not None and lengths != {dimension}:
            raise ValueError(f"the vectors have {lengths.pop()} dimensions instead of {dimension}")
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
            rows = np.array([each.embedding for each in ordered], dtype=np.float32)
        if not np.isfinite(rows).all():
            raise ValueError("a vector has a number that is none (NaN or infinite)")
        return rows


def parse(kind: type[M], body: str) -> M | None:
    """None for what is no such reply: a web page, something else, or only half of one."""
    try:
        return kind.model_validate_json(body)
    except ValidationError:
        return None
