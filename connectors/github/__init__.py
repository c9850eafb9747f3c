"""Repositories at GitHub: their code, issues, pull requests, releases and discussions."""

from connectors.access import Consent, CredentialKind, Permission
from connectors.connector import Spec
from connectors.github.config import GitHubConfig, GitHubCursor, locate
from connectors.github.crawl import narrow, open_github
from connectors.github.hints import open_ear
from connectors.hearing import Hearing

CONNECTOR = Spec(
    kind="github",
    title="GitHub",
    description="Code, issues, pull requests with their reviews, releases and discussions.",
    config=GitHubConfig,
    cursor=GitHubCursor,
    open=open_github,
    credentials=frozenset(
        {
            CredentialKind.INSTALLATION,
            CredentialKind.OAUTH,
            CredentialKind.TOKEN,
            CredentialKind.NONE,
        }
    ),
    consent=Consent(
        provider="github",
        permissions=(
            Permission("read:user", "To show which account is connected."),
            Permission(
                "repo",
                "To read code, issues and pull requests of private repositories. GitHub has no "
                "smaller permission for an OAuth app; nothing is ever written.",
                required=False,
            ),
        ),
    ),
    narrow=narrow,
    locate=locate,
    hearing=Hearing(open_ear),
)
