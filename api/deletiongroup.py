"""``headwater deletions``, as far as one sees it."""

from typing import Annotated

import typer

from api.options import EXIT_CODES, Json, NoColor, do

app = typer.Typer(no_args_is_help=True, epilog=EXIT_CODES, rich_markup_mode=None)

Deletion = Annotated[str, typer.Argument(help="Its id; `headwater deletions list` shows it.")]


@app.command("list", epilog=EXIT_CODES)
def listing(*, as_json: Json = False, _no_color: NoColor = False) -> None:
    """List what may be gone from its source and waits for a decision."""
    do("deletions", what="list", deletion=None, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def approve(deletion: Deletion, *, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Say that they are gone. Nobody finds them any more; they are purged in a week."""
    do("deletions", what="approve", deletion=deletion, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def decline(deletion: Deletion, *, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Say that they are not gone. They are kept."""
    do("deletions", what="decline", deletion=deletion, as_json=as_json)
