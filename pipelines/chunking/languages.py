"""Which grammar reads a file, by its name or its first line.

Each grammar comes in a wheel of its own and is loaded when a file first needs it. A language pack
would be one dependency for all, but fetches its grammars from the network at run time.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module

from tree_sitter import Language as Grammar
from tree_sitter import Parser


@dataclass(frozen=True, slots=True)
class Language:
    name: str
    module: str
    entry: str = "language"


def language_of(path: str | None, text: str) -> Language | None:
    """The language of a file, if we have its grammar."""
    suffix = suffix_of(path)
    if suffix in _LANGUAGES:
        return _LANGUAGES[suffix]
    if not suffix and text.startswith("#!"):
        line = text[: text.find("\n", 0, 200)]
        program = line.rpartition("/")[2].removeprefix("env ").split(" ")[0].rstrip("0123456789.\r")
        return _LANGUAGES.get(_PROGRAMS.get(program, ""))
    return None


def is_prose(path: str | None) -> bool:
    """Whether a file is written for people: by its suffix, or because it has none."""
    if path is None:
        return True
    name = path.rpartition("/")[2].lower()
    return suffix_of(path) in _PROSE and name not in _NO_PROSE and not name.startswith(".")


def is_markdown(path: str | None) -> bool:
    return suffix_of(path) in _MARKDOWN


def suffix_of(path: str | None) -> str:
    """The suffix in lower case, with its dot; empty if there is none."""
    name, dot, suffix = (path or "").rpartition("/")[2].rpartition(".")
    return dot + suffix.lower() if name else ""  # `.profile` has none


@cache
def parser_of(language: Language) -> Parser:
    """One for the process: it keeps its memory from file to file."""
    module = import_module(language.module)
    return Parser(Grammar(getattr(module, language.entry)()))


_MARKDOWN = frozenset({".md", ".markdown", ".mdx"})
_NO_PROSE = frozenset(
    {"brewfile", "codeowners", "dockerfile", "jenkinsfile", "justfile", "makefile", "procfile"}
)
_PROSE = _MARKDOWN | frozenset({".rst", ".txt", ".text", ".adoc", ".org", ".tex", ""})

_PYTHON = Language("Python", "tree_sitter_python")
_JAVASCRIPT = Language("JavaScript", "tree_sitter_javascript")
_TYPESCRIPT = Language("TypeScript", "tree_sitter_typescript", "language_typescript")
_TSX = Language("TypeScript", "tree_sitter_typescript", "language_tsx")
_C = Language("C", "tree_sitter_c")
_CPP = Language("C++", "tree_sitter_cpp")
_RUBY = Language("Ruby", "tree_sitter_ruby")
_PHP = Language("PHP", "tree_sitter_php", "language_php")
_BASH = Language("Shell", "tree_sitter_bash")
_HTML = Language("HTML", "tree_sitter_html")

_LANGUAGES = {
    ".py": _PYTHON,
    ".pyi": _PYTHON,
    ".pyw": _PYTHON,
    ".js": _JAVASCRIPT,
    ".jsx": _JAVASCRIPT,
    ".mjs": _JAVASCRIPT,
    ".cjs": _JAVASCRIPT,
    ".ts": _TYPESCRIPT,
    ".mts": _TYPESCRIPT,
    ".cts": _TYPESCRIPT,
    ".tsx": _TSX,
    ".go": Language("Go", "tree_sitter_go"),
    ".rs": Language("Rust", "tree_sitter_rust"),
    ".java": Language("Java", "tree_sitter_java"),
    ".c": _C,
    ".h": _CPP,  # the grammar of C++ reads C as well, but not the other way round
    ".cc": _CPP,
    ".cpp": _CPP,
    ".cxx": _CPP,
    ".hh": _CPP,
    ".hpp": _CPP,
    ".hxx": _CPP,
    ".cs": Language("C#", "tree_sitter_c_sharp"),
    ".rb": _RUBY,
    ".rake": _RUBY,
    ".php": _PHP,
    ".sh": _BASH,
    ".bash": _BASH,
    ".html": _HTML,
    ".htm": _HTML,
    ".css": Language("CSS", "tree_sitter_css"),
}
_PROGRAMS = {
    "python": ".py",
    "sh": ".sh",
    "bash": ".sh",
    "node": ".js",
    "ruby": ".rb",
    "php": ".php",
}
