"""What a provider counts for a call: before it, to reserve, and after it, to settle.

Providers differ, and taking one for the other wastes the limit or breaks it (rate limit pages of
each, read in 2026): OpenAI and Azure never give a reservation back, whatever ``usage`` says;
Anthropic counts output as it turns out to be.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from pipelines.llm.gateway import Usage
from storage.limits.values import Amounts, Dimension


class Charging(StrEnum):
    OPENAI = "openai"  # the larger of the input and the output's cap
    WHOLE = "whole"  # input and the cap: Azure, Cerebras, and whoever does not say
    ANTHROPIC = "anthropic"  # uncached input; output as it is
    INPUT = "input"  # input alone: Gemini, embeddings
    FREE = "free"  # a local server


HEADROOM = 1.2
"""More output than usual is reserved, so that settling gives back and seldom asks for more."""

LEARNING = 0.05
CLAMP = 0.5, 2.0
"""How far counted tokens may pull our estimate: beyond it the count is about something else."""


@dataclass(slots=True)
class Habit:
    """What calls for one purpose to one model usually are, against what was said of them."""

    input_ratio: float = 1.0
    output: float | None = None

    def learn(self, *, estimated: int, usage: Usage) -> None:
        if estimated > 0 and usage.input > 0:
            ratio = min(CLAMP[1], max(CLAMP[0], usage.input / estimated))
            self.input_ratio += LEARNING * (ratio - self.input_ratio)
        if usage.output > 0:
            before = float(usage.output) if self.output is None else self.output
            self.output = before + LEARNING * (usage.output - before)


@dataclass(slots=True)
class Charger:
    """``cost`` before the call, ``charged`` after it, by the provider's charge model."""

    charging: Charging
    _habits: dict[tuple[str, str], Habit] = field(default_factory=dict[tuple[str, str], Habit])

    def cost(self, *, model: str, purpose: str, input_tokens: int, cap: int) -> Amounts:
        """What to reserve. ``cap`` is the most output there can be; 0 for embeddings."""
        habit = self._habit(model, purpose)
        given = max(1.0, input_tokens * habit.input_ratio)
        if self.charging is Charging.FREE:
            return {Dimension.REQUESTS: 1}
        if self.charging is Charging.ANTHROPIC:
            usual = cap if habit.output is None else min(cap, habit.output * HEADROOM)
            return {
                Dimension.REQUESTS: 1,
                Dimension.INPUT_TOKENS: given,
                Dimension.OUTPUT_TOKENS: usual,
            }
        tokens = {
            Charging.OPENAI: max(given, cap),
            Charging.WHOLE: given + cap,
            Charging.INPUT: given,
        }[self.charging]
        return {Dimension.REQUESTS: 1, Dimension.TOKENS: tokens}

    def charged(
        self, *, model: str, purpose: str, input_tokens: int, usage: Usage
    ) -> Amounts | None:
        """What it was in the end; None where the reservation stands."""
        self._habit(model, purpose).learn(estimated=input_tokens, usage=usage)
        if self.charging is not Charging.ANTHROPIC or not usage.input:
            return None
        return {
            Dimension.REQUESTS: 1,
            Dimension.INPUT_TOKENS: usage.input - usage.cached,
            Dimension.OUTPUT_TOKENS: usage.output,
        }

    def _habit(self, model: str, purpose: str) -> Habit:
        return self._habits.setdefault((model, purpose), Habit())
