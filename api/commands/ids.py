"""The ids that people type."""

from uuid import UUID

from api.commands.ending import ExitCode, Trouble


def run_id(text: str) -> UUID:
    """Raises ``Trouble`` for what cannot be one."""
    return _id(text, "run", "`headwater runs` lists them.")


def connection_id(text: str) -> UUID:
    """Raises ``Trouble`` for what cannot be one."""
    return _id(text, "connection", "`headwater connections` lists them.")


def deletion_id(text: str) -> UUID:
    """Raises ``Trouble`` for what cannot be one."""
    return _id(text, "deletion", "`headwater deletions list` shows them.")


def webhook_id(text: str) -> UUID:
    """Raises ``Trouble`` for what cannot be one."""
    return _id(text, "webhook", "`headwater webhooks list` shows them.")


def delivery_id(text: str) -> UUID:
    """Raises ``Trouble`` for what cannot be one."""
    return _id(text, "delivery", "`headwater webhooks deliveries WEBHOOK` shows them.")


def _id(text: str, of: str, action: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        message = f"{text!r} is not the id of a {of}."
        raise Trouble(message, action=action, code=ExitCode.USAGE) from None
