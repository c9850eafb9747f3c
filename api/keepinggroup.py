"""``headwater backup``, ``restore`` and ``export``, as far as one sees them."""

from typing import Annotated

import typer

from api.options import EXIT_CODES, Json, NoColor, do

app = typer.Typer(epilog=EXIT_CODES, rich_markup_mode=None)


@app.command(epilog=EXIT_CODES)
def backup(
    file: Annotated[str, typer.Argument(help="Where to put it; it must not be there yet.")],
    *,
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Write the whole database into a file, as of one instant.

    Everything may go on meanwhile. The keys that credentials are sealed with are not in it: keep
    them elsewhere (HEADWATER_SECRET_KEYS, or .secret-keys in the data directory).

    \b
      headwater backup /backups/headwater-$(date +%F).tar
    """  # noqa: D301
    do("backup", file=file, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def restore(
    file: Annotated[str, typer.Argument(help="What `headwater backup` wrote.")],
    *,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also into a database that is not empty: it is replaced."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether that is meant.")] = False,
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Make the database what it was when a backup was taken.

    All of it, or nothing: broken off, it leaves what was there before. Stop everything first. What
    another kind of database made is taken, too: so one machine's SQLite becomes a PostgreSQL.

    \b
      headwater restore /backups/headwater-2026-11-28.tar
      HEADWATER_DATABASE_URL=postgresql://... headwater restore headwater.tar
    """  # noqa: D301
    do("restore", file=file, force=force, yes=yes, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def export(
    *,
    owner: Annotated[str, typer.Option(help="Whose: the name that their connections are of.")],
    _no_color: NoColor = False,
) -> None:
    """Print all that is held about an owner, one JSON object a line.

    Connections, artifacts with their text and readings, runs with what they told, asked and came
    to. No secrets. The last line has the type `end`: without it, something lacks.

    \b
      headwater export --owner ada > ada.ndjson
    """  # noqa: D301
    do("export", owner=owner)
