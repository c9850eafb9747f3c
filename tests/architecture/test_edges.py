"""Who may read the environment, who may catch everything, and what no test does."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for package in ("connectors", "pipelines", "storage", "api")
    for path in (ROOT / package).rglob("*.py")
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))
PATCHES = re.compile(r"\b(MagicMock|AsyncMock|mock\.patch|monkeypatch\.setattr|@patch)\b")
SLEEPS = re.compile(r"\b(time|asyncio|anyio)\.sleep\(")


def broad_handlers(source: str) -> Iterator[int]:
    """Lines that catch everything without a written reason on the same line."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ExceptHandler):
            continue
        broad = node.type is None or (
            isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"}
        )
        if broad and "# noqa: BLE001  # " not in lines[node.lineno - 1] and not _reraises(node):
            yield node.lineno


def _reraises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) for node in handler.body)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_swallows_every_error(path: Path) -> None:
    assert list(broad_handlers(path.read_text())) == []


def test_the_rule_catches_a_swallowed_error() -> None:
    assert list(broad_handlers("try:\n    x = 1\nexcept Exception:\n    x = 2\n")) == [3]


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_test_patches_or_sleeps(path: Path) -> None:
    if path == Path(__file__) or path.name == "waiting.py":
        return
    text = path.read_text()

    assert PATCHES.findall(text) == []
    assert SLEEPS.findall(text) == []


def test_only_one_place_makes_the_client_that_commands_ask_with() -> None:
    made = re.compile(r"\bAsyncClient\(")  # without the key of the environment, most likely
    found = [each for each in (ROOT / "api/commands").glob("*.py") if made.search(each.read_text())]

    assert [each.name for each in found] == ["clients.py"]
