"""What a program says of itself in words: its first comment, its definitions, its identifiers.

By patterns and not by syntax, as one pass over the text has to do for every language.
"""

import re
from collections import Counter
from collections.abc import Sequence

from pipelines.gist import STOP_WORDS

_MOST_COMMENTS = 4  # looked at before giving up
_DEFINED = 4  # times as much as an identifier that is only used
_FEWEST_LETTERS = 3

_PREAMBLE = re.compile(
    r"(?:#![^\n]*\n|<\?php\b|<!doctype[^>]*>|['\"]use strict['\"];?|\s)*+", re.IGNORECASE
)
_COMMENT = re.compile(
    r"[rRuUbB]{0,2}(\"\"\"|''')(?P<docstring>.*?)\1"
    r"|/\*+(?P<block>.*?)\*/"
    r"|<!--(?P<markup>.*?)-->"
    r"|(?P<lines>(?:[ \t]*(?://|#(?!include|define|if|elif|else|endif|pragma|undef|region)|--|;)[^\n]*(?:\n|\Z))+)",
    re.DOTALL,
)
_LEADER = re.compile(r"^[ \t]*(?:/{2,}!?|#+|--+|;+|\*+(?!/))[ \t]?|[ \t]+$", re.MULTILINE)
_LEGAL = re.compile(r"copyright|licen[sc]e|spdx-|all rights reserved", re.IGNORECASE)
_INSTRUCTION = re.compile(
    r"^\W*(?:-\*-|coding[:=]|vim:|eslint|pylint|ruff:|noqa|type:|@ts-|@flow|jshint)", re.IGNORECASE
)

_DEFINITION = re.compile(
    r"^([ \t]*)(?:(?:export|default|public|private|protected|internal|static|abstract|final|sealed"
    r"|async|pub(?:\([^)\n]*\))?|unsafe|partial|extern|inline|declare|const)[ \t]+)*"
    r"(?:def|class|function\*?|func|fn|struct|interface|enum|trait|type|module|namespace|record|impl)"
    r"[ \t]+(?:\([^)\n]*\)[ \t]*)?([A-Za-z_$][\w$]*)"
    # What C, Java and C# write: a type, a name and parentheses with a block behind.
    r"|^([ \t]*)(?:[A-Za-z_][\w<>\[\],]*[ \t*&]+){1,5}([A-Za-z_]\w*)\([^;{}()]{0,300}\)\s{0,3}\{"
    # A function of the shell.
    r"|^([ \t]*)([A-Za-z_]\w*)[ \t]*\(\)[ \t]*\{",
    re.MULTILINE,
)
_IDENTIFIER = re.compile(r"[^\W\d]\w+")


def leading_comment(text: str) -> str:
    """The first docstring or comment that is neither a licence nor meant for a tool."""
    position = 0
    for _ in range(_MOST_COMMENTS):
        preamble = _PREAMBLE.match(text, position)
        found = _COMMENT.match(text, preamble.end() if preamble else position)
        if found is None:
            break
        position = found.end()
        kind = found.lastgroup or "lines"
        words = found[kind] if kind == "docstring" else _LEADER.sub("", found[kind])
        if words.strip() and not _LEGAL.search(words) and not _INSTRUCTION.match(words):
            return words.strip()
    return ""


def definitions(text: str) -> list[str]:
    """The names of what a program defines: the outer ones first, else in their order."""
    depths: dict[str, int] = {}
    for match in _DEFINITION.finditer(text):
        indent, name = [group for group in match.groups() if group is not None]
        if name not in _STATEMENTS:
            depths[name] = min(len(indent), depths.get(name, len(indent)))
    return sorted(depths, key=depths.__getitem__)


def identifiers(text: str, defined: Sequence[str], *, most: int) -> list[str]:
    """What is named most often, and rather what is defined here than what is only used."""
    often = Counter(_IDENTIFIER.findall(text))
    own = frozenset(defined)
    worth = {
        name: times * (_DEFINED if name in own else 1)
        for name, times in often.items()
        if len(name.strip("_")) >= _FEWEST_LETTERS and name.lower() not in _UNTELLING
    }
    return sorted(worth, key=lambda name: (-worth[name], name))[:most]


_KEYWORD_LIST = """
abstract and any args array async auto await bool boolean break byte case cast catch char class
cls const continue declare def default defer del delete dict div done double each echo elif else
elsif end endif enum esac except exit export extends extern false fast final finally float for
foreach from func function get global goto href http https if impl implements import include
inline instanceof int interface internal is isinstance kwargs lambda len let list local long
match mod module mut namespace new next nil none not null number object operator optional
override package param pass print private protected pub public raise range ref register require
rescue return returns sealed self set short signed sizeof span static str string struct super
switch template test then this throw throws trait true try tuple type typedef typename typeof
undefined union unless unsigned until use using value values var virtual void volatile when
where while with yield
"""
_KEYWORDS = frozenset(_KEYWORD_LIST.split())
# What the pattern for a function of C would take for one.
_STATEMENTS = frozenset({"catch", "else", "for", "foreach", "if", "return", "switch", "while"})
_UNTELLING = _KEYWORDS | STOP_WORDS  # comments have words as well
