"""What goes wrong at the fake GitHub, as often as it is told to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    PRIMARY_LIMIT = "primary_limit"  # 403, nothing remaining, a reset
    SECONDARY_LIMIT = "secondary_limit"  # 403, no header says for how long
    RETRY_AFTER = "retry_after"  # 429 with retry-after
    GRAPHQL_LIMIT = "graphql_limit"  # 200 with an error inside
    TOO_HEAVY = "too_heavy"  # 502, as GraphQL gives up on a long question
    SERVER_ERROR = "server_error"
    HTML = "html"  # 200 with a login page
    GARBAGE = "garbage"  # 200 with half a JSON
    CUT_OFF = "cut_off"  # the archive ends in the middle
    CUT_BETWEEN = "cut_between"  # the archive ends between two members
    HALF = "half"  # the archive lacks members, and ends as if it were whole
    CURSOR_LOOP = "cursor_loop"  # a page that names itself as the next
    EMPTY_PAGE = "empty_page"  # an empty page that names a next one
    SSO = "sso"
    SCOPE = "scope"
    BLOCKED = "blocked"


@dataclass(slots=True)
class Script:
    """Each entry is a fault, the paths it is about, and how often it comes."""

    planned: list[tuple[Fault, re.Pattern[str], int]] = field(
        default_factory=list[tuple[Fault, re.Pattern[str], int]]
    )

    def plan(self, fault: Fault, path: str = "", *, times: int = 1) -> None:
        self.planned.append((fault, re.compile(path), times))

    def take(self, path: str, among: Sequence[Fault]) -> Fault | None:
        """The first fault that is planned for the path; it is used up by this."""
        for number, (fault, pattern, times) in enumerate(self.planned):
            if fault in among and pattern.search(path):
                self.planned[number] = (fault, pattern, times - 1)
                if times <= 1:
                    del self.planned[number]
                return fault
        return None

    def clear(self) -> None:
        self.planned.clear()
