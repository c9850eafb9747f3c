"""What an ingestion will come to, as the api shows it."""

from pydantic import Field

from api.dollars import Dollars
from api.schemas import View


class PartitionEstimate(View):
    key: str
    title: str
    artifacts: int | None
    size_bytes: int | None


class RangeView(View):
    low: int
    high: int


class CostView(View):
    low: Dollars
    high: Dollars


class EstimateView(View):
    """What the next ingestion would read, take and cost. Nothing was read or paid for it."""

    artifacts: int = Field(description="In the source now")
    ingested: int = Field(description="That can be searched already, and cost nothing again")
    partitions: list[PartitionEstimate]
    tokens: RangeView = Field(description="Of the texts that are new")
    model: str | None = Field(description="Who reads them; null: no model does")
    embedding_model: str | None
    model_calls: RangeView
    billed_tokens: RangeView = Field(description="Sent to models and answered by them")
    cost_usd: CostView
    prices: str | None = Field(description="Where the prices are from, and of which day")
    seconds: RangeView | None = Field(description="null: nobody knows how fast the model is")
    notes: list[str]
