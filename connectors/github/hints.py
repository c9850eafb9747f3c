"""GitHub's webhooks: signed with a shared secret, over the bytes as they came."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.hearing import Forged, HintSettings, Told, Unset, object_of

SETTING = "HEADWATER_GITHUB_WEBHOOK_SECRET"
SIGNATURE, DELIVERY, EVENT = "x-hub-signature-256", "x-github-delivery", "x-github-event"
_MOST_DELIVERY = 200


@dataclass(frozen=True, slots=True)
class GitHubEar:
    secrets: tuple[bytes, ...] = field(repr=False)

    async def hear(self, headers: Mapping[str, str], body: bytes) -> Told | None:
        self._verify(headers.get(SIGNATURE, ""), body)
        told = object_of(body)
        if headers.get(EVENT) == "ping" or not told:
            return None
        repository, installation = _of(told, "repository"), _of(told, "installation")
        number, name = repository.get("id"), repository.get("full_name")
        installed = installation.get("id")
        delivery = headers.get(DELIVERY, "")[:_MOST_DELIVERY]
        return Told(
            # The id is not signed: somebody who repeats a body may call it what they like.
            known_by=(body, delivery) if delivery else (body,),
            account=f"installation:{installed}" if isinstance(installed, int) else None,
            chooses="repositories",
            name=name if isinstance(name, str) else None,
            mark=("repository", number) if isinstance(number, int) else None,
        )

    def _verify(self, given: str, body: bytes) -> None:
        """Raises ``Forged``. How long it takes tells nothing of the secret."""
        shown = given.encode(errors="replace")
        good = [hmac.compare_digest(shown, signature(each, body)) for each in self.secrets]
        if not any(good):
            raise Forged(f"Its {SIGNATURE.title()} is not made with the secret in {SETTING}.")


def signature(secret: bytes, body: bytes) -> bytes:
    return b"sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest().encode()


def open_ear(settings: HintSettings) -> GitHubEar:
    """Raises ``Unset``."""
    given = settings.github_webhook_secret
    text = "" if given is None else given.get_secret_value()
    secrets = tuple(each.strip().encode() for each in text.split(",") if each.strip())
    if not secrets:
        raise Unset(SETTING)
    return GitHubEar(secrets)


def _of(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    it = told.get(name)
    return it if isinstance(it, dict) else {}
