"""The guide for authors of connectors is true."""

import re
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs/connectors.md"


async def test_connector_in_the_guide_keeps_every_promise() -> None:
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    names: dict[str, object] = {}

    for block in blocks:
        exec(block, names)  # noqa: S102  # our own page

    prove = names["prove"]
    assert callable(prove)
    await prove()
