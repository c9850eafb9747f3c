"""``headwater schedule``, as far as one sees it."""

from typing import Annotated

import typer

from api.options import EXIT_CODES, Json, NoColor, do

app = typer.Typer(no_args_is_help=True, epilog=EXIT_CODES, rich_markup_mode=None)

Connection = Annotated[
    str, typer.Argument(help="The connection's id; `headwater connections` lists them.")
]


@app.command("set", epilog=EXIT_CODES)
def put(
    connection: Connection,
    *,
    cron: Annotated[str | None, typer.Option(help="Five fields, as in crontab.")] = None,
    zone: Annotated[str, typer.Option(help="The time zone of --cron.")] = "UTC",
    every: Annotated[str | None, typer.Option(help="Instead of --cron: 30m, 6h, 1d.")] = None,
    jitter: Annotated[str, typer.Option(help="Come up to so much later: 30s, 5m.")] = "0s",
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Ingest a connection by itself from now on.

    While a run is at it, a tick is skipped. Ticks that nobody was there for become one.

    \b
      headwater schedule set 0198c2de-... --every 6h
      headwater schedule set 0198c2de-... --cron "0 6 * * 1-5" --zone Europe/Paris --jitter 5m
    """  # noqa: D301
    options = {"cron": cron, "zone": zone, "every": every, "jitter": jitter}
    do("schedule", what="set", connection=connection, as_json=as_json, **options)


@app.command("list", epilog=EXIT_CODES)
def listing(*, as_json: Json = False, _no_color: NoColor = False) -> None:
    """List the schedules, with their next and last runs."""
    do("schedule", what="list", connection=None, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def show(connection: Connection, *, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Show a schedule, and what became of its latest ticks."""
    do("schedule", what="show", connection=connection, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def pause(connection: Connection, *, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Come to no tick until it is resumed."""
    do("schedule", what="pause", connection=connection, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def resume(connection: Connection, *, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Go on with the next tick."""
    do("schedule", what="resume", connection=connection, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def remove(connection: Connection, *, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Take it away: the connection is ingested when it is asked for."""
    do("schedule", what="remove", connection=connection, as_json=as_json)
