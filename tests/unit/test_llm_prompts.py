"""A prompt that was released does not change: what it read would not be read again."""

import hashlib

import pytest

from pipelines.llm.prompts import load

DIGESTS = {
    ("read", 1): "084a069545fe8f0a",
    ("merge", 1): "cac1c53ff2bb0559",
}


@pytest.mark.parametrize(("name", "version"), DIGESTS)
def test_a_released_prompt_is_as_it_was(name: str, version: int) -> None:
    text = load(name, version).text

    assert hashlib.sha256(text.encode()).hexdigest()[:16] == DIGESTS[name, version]
