"""The guide for authors of workflows is true."""

import re
from pathlib import Path

from pipelines.workflow import Workflow

GUIDE = Path(__file__).parents[2] / "docs/workflows.md"


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def test_the_first_workflow_has_twenty_lines() -> None:
    assert len([line for line in blocks()[0].splitlines() if line.strip()]) <= 20


async def test_what_the_guide_shows_runs_and_says_what_it_promises() -> None:
    names: dict[str, object] = {}

    for block in blocks():
        exec(block, names)  # noqa: S102  # our own page

    try_it, count_words = names["try_it"], names["count_words"]
    assert callable(try_it)
    assert isinstance(count_words, Workflow)
    assert await try_it() == "0: 2\n1: 1\n"
    assert count_words.published().title == "Count words"
