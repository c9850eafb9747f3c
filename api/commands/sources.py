"""Sources as people type them, ``github:owner/name``, and the credentials for them.

A credential comes from the environment or from a hidden prompt: arguments are seen by everybody on
the machine, and kept in the shell's history.
"""

import os
import sys
from collections.abc import Mapping
from getpass import getpass
from pathlib import Path

from api.commands.ending import ExitCode, Trouble
from connectors import catalog
from connectors.access import CredentialKind
from connectors.connector import Spec

Named = tuple[str, Mapping[str, object], Mapping[str, str] | None]


def named(text: str) -> Named | None:
    """Kind, configuration and credential. None for a folder. Raises ``Trouble``."""
    if Path(text).expanduser().exists():
        return None
    located = catalog.locate(text)
    if located is None:
        return None
    if located.config is None:
        raise Trouble(
            f"{text!r} says nothing to {located.spec.title}.",
            action=f"See what `{located.spec.kind}:` takes: docs/cli.md.",
            code=ExitCode.USAGE,
        )
    config = {**located.config, **address(located.spec)}
    return located.spec.kind, config, credential(located.spec)


def address(spec: Spec) -> Mapping[str, str]:
    """``GITHUB_API_URL`` and the like, for a server of one's own: it gets the token, too.

    So it is never taken from what somebody pastes.
    """
    url = os.environ.get(f"{spec.kind.upper()}_API_URL")
    return {"base_url": url} if url and "base_url" in spec.config.model_fields else {}


def credential(spec: Spec) -> Mapping[str, str] | None:
    """From ``GITHUB_TOKEN`` and the like; asked for only where nothing can be read without."""
    token = os.environ.get(f"{spec.kind.upper()}_TOKEN")
    if CredentialKind.TOKEN in spec.credentials and token:
        return {"kind": "token", "token": token}
    if CredentialKind.NONE in spec.credentials or not sys.stdin.isatty():
        return None
    if CredentialKind.TOKEN in spec.credentials:
        token = getpass(f"Token for {spec.title} (empty: the one there is): ")
        return {"kind": "token", "token": token} if token else None
    if CredentialKind.PASSWORD in spec.credentials:
        user = input(f"User at {spec.title} (empty: the one there is): ")
        if user:
            return {"kind": "password", "user": user, "password": getpass("Password: ")}
    return None
