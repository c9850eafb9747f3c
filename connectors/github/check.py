"""Whether a credential opens what a configuration names, and what to do if it does not."""

from collections.abc import Sequence

from connectors.access import Anonymous
from connectors.connector import Probe
from connectors.errors import ConnectorError
from connectors.github import accounts
from connectors.github.config import GitHubConfig
from connectors.github.part import Facts, Repository
from connectors.github.session import Session

_MOST = 20


async def probes(session: Session, config: GitHubConfig) -> Sequence[Probe]:
    """Ask for the account and for the first repositories that are named."""
    try:
        anonymous = isinstance(await session.access.credential(), Anonymous)
        whose = await accounts.whose(session)
    except ConnectorError as error:
        return [Probe("credential", well=False, detail=str(error), action=error.action)]
    detail = f"Signed in as {whose.name}" if whose else _NOBODY
    found = [Probe("credential", well=True, detail=detail)]
    if not config.repositories and anonymous:
        return [*found, _NAME_ONE]
    named = config.repositories[:_MOST]
    return found + [await _repository(session, config, name) for name in named]


async def _repository(session: Session, config: GitHubConfig, name: str) -> Probe:
    try:
        facts = await Repository(session, name, config).facts()
    except ConnectorError as error:
        return Probe(name, well=False, detail=f"{name}: {error}", action=error.action)
    return Probe(name, well=True, detail=_described(name, facts))


def _described(name: str, facts: Facts) -> str:
    moved = "" if facts.full_name.lower() == name.lower() else f", now called {facts.full_name}"
    kind = "private" if facts.private else "public"
    return f"{name} is {kind}, {facts.size_kilobytes:,} KiB with its history{moved}"


_NOBODY = (
    "Without a credential GitHub answers 60 requests an hour, and gives neither comments nor "
    "discussions"
)
_NAME_ONE = Probe(
    "repositories",
    well=False,
    detail="No repository is named, and without a credential none can be listed",
    action="Name a repository as owner/name, or connect an account.",
)
