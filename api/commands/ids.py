"""The ids that people type."""

from uuid import UUID

from api.commands.ending import ExitCode, Trouble


def run_id(text: str) -> UUID:
    """Raises ``Trouble`` for what cannot be one."""
    try:
        return UUID(text)
    except ValueError:
        raise Trouble(
            f"{text!r} is not the id of a run.",
            action="`headwater runs` lists them.",
            code=ExitCode.USAGE,
        ) from None
