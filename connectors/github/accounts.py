"""Who a credential belongs to and what it can see, through PyGithub's models.

PyGithub reads what came over our own session. Its own requests would be made by another client,
past the egress rules, sleeping and retrying by its own lights.
"""

from collections.abc import AsyncGenerator
from typing import Any

from github import Github
from github.AuthenticatedUser import AuthenticatedUser
from github.Repository import Repository as RepositoryModel

from connectors.access import Anonymous, Installation
from connectors.artifact import PartitionKey
from connectors.connector import Account, Scope
from connectors.github import protocol
from connectors.github.session import Session

_MOST_PAGES = 100


async def whose(session: Session) -> Account | None:
    """The account of a user's credential; that of the organisation, for an installation."""
    credential = await session.access.credential()
    match credential:
        case Anonymous():
            return None
        case Installation():
            return Account(f"installation:{credential.installation_id}", "GitHub App")
        case _:
            answer = await session.get("/user")
            user = _models().create_from_raw_data(AuthenticatedUser, answer.mapped())
            return Account(str(user.id), user.login)


async def repositories(session: Session) -> AsyncGenerator[RepositoryModel]:
    """All that the credential can see, latest push first."""
    credential = await session.access.credential()
    if isinstance(credential, Anonymous):
        return
    installed = isinstance(credential, Installation)
    path = "/installation/repositories" if installed else "/user/repos"
    query: dict[str, object] | None = {"per_page": 100} | ({} if installed else {"sort": "pushed"})
    for _ in range(_MOST_PAGES):
        answer = await session.get(path, query)
        listed: list[dict[str, Any]] = (
            answer.mapped().get("repositories") or [] if installed else answer.listed()
        )
        for each in listed:
            yield _models().create_from_raw_data(RepositoryModel, each)
        url = protocol.next_url(answer.headers)
        if url is None:
            return
        path, query = url, None


def scope(repository: RepositoryModel) -> Scope:
    """A repository in a picker. GitHub counts its size in KiB, with history."""
    detail = "private" if repository.private else "public"
    if repository.archived:
        detail += ", archived"
    if repository.language:
        detail += f", mostly {repository.language}"
    key = PartitionKey(repository.full_name)
    return Scope(key, repository.full_name, detail, None, repository.size * 1024)


def _models() -> Github:
    """Only a maker of models: it never sends anything."""
    return Github(lazy=True, retry=None, seconds_between_requests=0)
