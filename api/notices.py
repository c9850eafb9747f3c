"""What the connect page tells an owner when things did not go as asked, each in its own words."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from connectors.connector import Spec


class Notice(StrEnum):
    DENIED = "denied"
    CLOSED = "closed"
    PARTIAL = "partial"  # and what is missing is needed
    REDUCED = "reduced"  # and what is missing can be done without
    STALE = "stale"
    AWAY = "away"
    REFUSED = "refused"
    ANOTHER_ACCOUNT = "another_account"
    RECONNECTED = "reconnected"


SENTENCES: Mapping[Notice, tuple[str, str]] = {
    Notice.DENIED: (
        "You did not allow Headwater to read from {title}. Nothing was connected and nothing read.",
        "Allow it if you change your mind, or choose another source.",
    ),
    Notice.CLOSED: (
        "You left {title} before you decided. Nothing was connected and nothing read.",
        "Go on to {title} again, or choose another source.",
    ),
    Notice.PARTIAL: (
        (
            "You did not allow all that is needed: without {missing}, {title} cannot be read. "
            "The access you gave was handed back."
        ),
        "Allow what is marked as needed, or choose another source.",
    ),
    Notice.REDUCED: (
        "You left out {missing}. Headwater reads the rest of {title} without it.",
        "To add it later, connect the account again.",
    ),
    Notice.STALE: (
        "This consent took longer than ten minutes, or was used before. Nothing was connected.",
        "Go on to {title} again.",
    ),
    Notice.AWAY: (
        "{title} does not answer at the moment. Nothing was connected.",
        "Try again in some minutes.",
    ),
    Notice.REFUSED: (
        "{title} does not accept this Headwater as an app. Nothing was connected.",
        "Tell whoever runs it; it is a matter of its settings.",
    ),
    Notice.ANOTHER_ACCOUNT: (
        (
            "You allowed access to another account than the one that is connected here. It was "
            "handed back, and nothing of it was read."
        ),
        "Sign in at {title} with the account that was connected, and allow it there.",
    ),
    Notice.RECONNECTED: (
        "{title} is connected again. What waited for it goes on where it stopped.",
        "",
    ),
}


def noted(notice: Notice, missing: Sequence[str] = ()) -> dict[str, Any]:
    """As it is kept with the session."""
    return {"code": notice, "missing": list(missing)}


def worded(kept: Mapping[str, Any], spec: Spec | None) -> dict[str, str]:
    """As the page shows it. Scopes are told by their reasons, which their owner understands."""
    notice = Notice(kept["code"])
    sentence, action = SENTENCES[notice]
    reasons = {} if spec is None or spec.consent is None else _reasons(spec)
    missing = " and ".join(f"“{reasons.get(each, each)}”" for each in kept["missing"])
    title = spec.title if spec else "the source"
    words = {"title": title, "missing": missing}
    return {
        "code": notice,
        "message": sentence.format(**words),
        "action": action.format(**words),
    }


def _reasons(spec: Spec) -> dict[str, str]:
    permissions = spec.consent.permissions if spec.consent else ()
    return {each.scope: each.reason for each in permissions}
