"""The house stays small: a file is a room, a function is a thought."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("connectors", "pipelines", "storage", "api")
LINES_A_FILE = 300
LINES_A_FUNCTION = 40
FILES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if "versions" not in path.parts  # a migration is a list, as long as it is
)


def too_long(source: str) -> Iterator[str]:
    """Name what is over the budget in a file's text."""
    lines = source.count("\n")
    if lines > LINES_A_FILE:
        yield f"{lines} lines"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > LINES_A_FUNCTION:
                yield f"{node.name}: {size} lines"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_and_its_functions_fit(path: Path) -> None:
    assert list(too_long(path.read_text())) == []


def test_the_rule_catches_a_long_file() -> None:
    assert list(too_long("x = 1\n" * 301)) == ["301 lines"]


def test_the_rule_catches_a_long_function() -> None:
    source = "def grow():\n" + "    x = 1\n" * 40

    assert list(too_long(source)) == ["grow: 41 lines"]
