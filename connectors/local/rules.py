"""Rules that a tree carries in its own files: what to ignore, what is generated or vendored."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import re2  # type: ignore[import-untyped]  # it has no annotations; only its error is used
from pathspec import GitIgnoreSpec

ATTRIBUTES = ".gitattributes"
MAX_RULES = 2_000
MAX_RULE_LENGTH = 500
_PREFIX = "linguist-"
# RE2 compiles a set of patterns into one automaton whose size is capped; this many always fit.
_SET_SIZE = 64
# Python, which compiles them too, warns that it may read these differently one day.
_AMBIGUOUS = re.compile(r"\[.*(?:\[|--|&&|\|\||~~)")


class InvalidPattern(ValueError):
    """A pattern that is not in the syntax of .gitignore."""

    def __init__(self, pattern: str) -> None:
        super().__init__(f"{pattern!r} is not a pattern as in .gitignore")


class Patterns:
    """Patterns in the syntax of .gitignore; the last one that matches decides.

    They are matched by RE2, in time linear in the path: a hostile ``*a*a*a*a*b`` costs Python's
    own engine minutes for a single file name.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        for pattern in patterns:
            if not _valid(pattern):
                raise InvalidPattern(pattern)
        starts = range(0, len(patterns), _SET_SIZE)
        self._specs = [_compile(patterns[start : start + _SET_SIZE]) for start in reversed(starts)]

    def match(self, path: str) -> bool | None:
        """Whether the deciding pattern includes the path; None if no pattern matches."""
        for spec in self._specs:
            opinion = spec.check_file(path).include
            if opinion is not None:
                return opinion
        return None


@dataclass(slots=True)
class Nested:
    """Patterns by the folder they were found in; the deepest folder with an opinion decides."""

    by_folder: dict[str, list[Patterns]] = field(default_factory=dict[str, list[Patterns]])

    def add(self, folder: str, patterns: Sequence[str]) -> None:
        if patterns:
            self.by_folder.setdefault(folder, []).append(Patterns(patterns))

    def match(self, path: str) -> bool | None:
        if not self.by_folder:
            return None
        end = len(path.rstrip("/"))
        while end >= 0:
            end = path.rfind("/", 0, end)
            folder = path[: end + 1]
            opinion = self._opinion(folder, path[end + 1 :])
            if opinion is not None or not folder:
                return opinion
        return None

    def _opinion(self, folder: str, path: str) -> bool | None:
        # What was added last weighs most: .headwaterignore over .ignore over .gitignore.
        for patterns in reversed(self.by_folder.get(folder, ())):
            opinion = patterns.match(path)
            if opinion is not None:
                return opinion
        return None


@dataclass(slots=True)
class Rules:
    """All that a tree says about itself. Folders end in a slash; the root is the empty string."""

    ignored: Nested = field(default_factory=Nested)
    vendored: Nested = field(default_factory=Nested)
    generated: Nested = field(default_factory=Nested)
    documentation: Nested = field(default_factory=Nested)
    unvendors: bool = False  # some rule says that something is not vendored after all

    def add(self, folder: str, name: str, data: bytes) -> None:
        """Take a rule file in. What cannot be understood in it is passed over, as git does."""
        lines = data.removeprefix(b"\xef\xbb\xbf").decode(errors="replace").splitlines()[:MAX_RULES]
        if name != ATTRIBUTES:
            self.ignored.add(folder, [line for line in lines if _valid(line)])
            return
        attributes = (self.vendored, "vendored"), (self.generated, "generated")
        for nested, key in (*attributes, (self.documentation, "documentation")):
            patterns = _as_patterns(lines, _PREFIX + key)
            nested.add(folder, patterns)
            negates = any(pattern.startswith("!") for pattern in patterns)
            self.unvendors |= nested is self.vendored and negates


def _as_patterns(lines: Sequence[str], key: str) -> list[str]:
    """Lines of .gitattributes that set or unset ``key``, as patterns: unset is a negated one."""
    patterns = []
    for line in lines:
        pattern, _, attributes = line.strip().partition(" ")
        if not attributes or pattern.startswith(("#", "!", "[attr]", '"')):
            continue
        state = _state(attributes.split(), key)
        negated = pattern if state else f"!{pattern}"
        if state is not None and _valid(negated):
            patterns.append(negated)
    return patterns


def _state(attributes: Sequence[str], key: str) -> bool | None:
    state: bool | None = None
    for attribute in attributes:
        if attribute in {key, f"{key}=true"}:
            state = True
        elif attribute in {f"-{key}", f"{key}=false"}:
            state = False
    return state


def _valid(pattern: str) -> bool:
    if len(pattern) > MAX_RULE_LENGTH or _AMBIGUOUS.search(pattern):
        return False
    try:
        _compile([pattern])
    except (ValueError, re.error, re2.error):
        return False
    return True


def _compile(patterns: Sequence[str]) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(patterns, backend="re2")
