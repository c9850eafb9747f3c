"""Opens connected accounts: puts a kind of source, its provider and a vault together."""

from dataclasses import dataclass, field

from connectors.access import Access, Anonymous, CredentialKind, Given
from connectors.connector import Spec
from connectors.keeping import App, KeptAccess, Vault
from connectors.oauth.client import OAuthClient
from connectors.oauth.settings import OAuthSettings


@dataclass(frozen=True, slots=True)
class Locksmith:
    """What the operator set up at the providers, for all connections of a process."""

    settings: OAuthSettings = field(default_factory=OAuthSettings.model_construct)
    app: App | None = None

    @classmethod
    def of(cls, settings: OAuthSettings) -> "Locksmith":
        return cls(settings, settings.app())

    def client(self, spec: Spec) -> OAuthClient | None:
        """Who asks for this kind's grants; None if the operator has no app at its provider."""
        return None if spec.consent is None else self.settings.client(spec.consent.provider)

    def access(self, spec: Spec, vault: Vault) -> Access:
        if not needs_credential(spec):
            return Given(Anonymous(), spec.title)
        permissions = spec.consent.permissions if spec.consent else ()
        return KeptAccess(
            vault,
            spec.title,
            required=frozenset(each.scope for each in permissions if each.required),
            client=self.client(spec),
            app=self.app,
        )


def needs_credential(spec: Spec) -> bool:
    """Whether it can take one at all: then there may be one to open it with."""
    return spec.credentials != {CredentialKind.NONE}
