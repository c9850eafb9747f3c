"""``headwater keys``, as far as one sees it: keys of the api, and keys that seal credentials."""

from typing import Annotated

import typer

from api.options import EXIT_CODES, Json, NoColor, do

Prefix = Annotated[str, typer.Argument(help="What `headwater keys list` shows, or the whole key.")]
Days = Annotated[
    int | None, typer.Option(min=1, max=3_650, help="How long it is good; without, for ever.")
]

app = typer.Typer(no_args_is_help=True, epilog=EXIT_CODES, rich_markup_mode=None)


@app.command(epilog=EXIT_CODES)
def create(
    *,
    name: Annotated[str, typer.Option(help="What it is for, to know it by.")] = "api",
    tenant: Annotated[
        str | None, typer.Option(help="The customer it is of; without, this installation itself.")
    ] = None,
    new_tenant: Annotated[
        bool, typer.Option("--new-tenant", help="The tenant is not there yet: make it.")
    ] = False,
    owner: Annotated[
        str | None, typer.Option(help="An end user: it sees and touches nobody else's.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(help="What it may do; again for more. Without, all that a tenant may."),
    ] = None,
    days: Days = None,
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Make a key for the api, and print it: nobody can show it again.

    \b
      headwater keys create --name backend --days 90
      headwater keys create --tenant acme --new-tenant
      headwater keys create --name search --scope search:read
    """  # noqa: D301
    wanted = {"name": name, "tenant": tenant, "new_tenant": new_tenant, "owner": owner}
    do("apikeys", what="create", **wanted, scopes=scope or [], days=days, as_json=as_json)


@app.command("list", epilog=EXIT_CODES)
def list_(*, as_json: Json = False, _no_color: NoColor = False) -> None:
    """List the keys of the api, newest first, with when each was used last."""
    do("apikeys", what="list", as_json=as_json)


@app.command(epilog=EXIT_CODES)
def revoke(key: Prefix, *, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Take a key of the api back, at once, with all that browsers were given with it."""
    do("apikeys", what="revoke", key=key, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def replace(
    key: Prefix,
    *,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=8_760, help="How long the old one is good still.")
    ] = 24,
    days: Days = None,
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Make a key that may what another one may, and print it; the old one is over soon.

    \b
      headwater keys replace 4fGk20PqLm9x --overlap-hours 72
    """  # noqa: D301
    do("apikeys", what="replace", key=key, overlap_hours=overlap_hours, days=days, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def new() -> None:
    """Print a new key to seal credentials with, for HEADWATER_SECRET_KEYS."""
    do("keys", what="new", as_json=False)


@app.command(epilog=EXIT_CODES)
def rotate(*, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Seal every credential again with the first key, while all is running.

    Put the new key in front of the old one in HEADWATER_SECRET_KEYS first, and start every process
    again with both. The old one can be taken away when none is left on it.
    """
    do("keys", what="rotate", as_json=as_json)
