"""What keys and tokens let their bearers do."""

from enum import StrEnum


class Scope(StrEnum):
    """What a caller may do."""

    CONNECTIONS_READ = "connections:read"
    CONNECTIONS_WRITE = "connections:write"
    RUNS_READ = "runs:read"  # with their events and output
    RUNS_WRITE = "runs:write"  # start, stop, and workflows
    SEARCH_READ = "search:read"  # what was ingested
    MONEY_READ = "money:read"
    MONEY_WRITE = "money:write"
    TOKENS_WRITE = "tokens:write"  # give browsers a part of what it may itself
    KEYS_WRITE = "keys:write"  # see, make, replace and revoke keys that may no more than it may
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    DEPLOYMENT_READ = "deployment:read"
    DEPLOYMENT_WRITE = "deployment:write"


OF_OWNERS = frozenset(
    {
        Scope.CONNECTIONS_READ,
        Scope.CONNECTIONS_WRITE,
        Scope.RUNS_READ,
        Scope.RUNS_WRITE,
        Scope.SEARCH_READ,
    }
)
"""What can be narrowed to one owner's, and so given to a browser."""

OF_OPERATORS = frozenset({Scope.DEPLOYMENT_READ, Scope.DEPLOYMENT_WRITE})
"""What concerns all tenants of an installation: only for a key that names them."""

OF_TENANTS = frozenset(Scope) - OF_OPERATORS - {Scope.KEYS_WRITE}
"""What a key has that names nothing. Whoever steals one that makes keys outlives its revocation."""
