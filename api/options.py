"""What the commands of the command line share, and those of its group ``keys``."""

import importlib
import os
from typing import Annotated, NoReturn

import typer

EXIT_CODES = """
Exit codes: 0 done; 1 the run or the command failed; 2 wrong usage, such as a path that does not
exist; 3 done, but some artifacts failed; 4 cannot run here (port, data directory, a server);
130 interrupted.
"""


def _uncoloured(value: bool) -> None:  # noqa: FBT001  # typer calls it with the flag
    if value:
        os.environ["NO_COLOR"] = "1"  # understood by everything that colours, children included


NoColor = Annotated[
    bool, typer.Option("--no-color", callback=_uncoloured, is_eager=True, help="No colours.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output, for programs.")]
Prefix = Annotated[str, typer.Argument(help="What `headwater keys list` shows, or the whole key.")]
Days = Annotated[
    int | None, typer.Option(min=1, max=3_650, help="How long it is good; without, for ever.")
]


def do(command: str, **options: object) -> NoReturn:
    """Run the command in the module of its name, and end with its exit code."""
    module = importlib.import_module(f"api.commands.{command}")
    ending = importlib.import_module("api.commands.ending")
    raise typer.Exit(ending.finish(module.run, options))


keys = typer.Typer(no_args_is_help=True, epilog=EXIT_CODES, rich_markup_mode=None)


@keys.command(epilog=EXIT_CODES)
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


@keys.command("list", epilog=EXIT_CODES)
def list_(*, as_json: Json = False, _no_color: NoColor = False) -> None:
    """List the keys of the api, newest first, with when each was used last."""
    do("apikeys", what="list", as_json=as_json)


@keys.command(epilog=EXIT_CODES)
def revoke(key: Prefix, *, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Take a key of the api back, at once, with all that browsers were given with it."""
    do("apikeys", what="revoke", key=key, as_json=as_json)


@keys.command(epilog=EXIT_CODES)
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


@keys.command(epilog=EXIT_CODES)
def new() -> None:
    """Print a new key to seal credentials with, for HEADWATER_SECRET_KEYS."""
    do("keys", what="new", as_json=False)


@keys.command(epilog=EXIT_CODES)
def rotate(*, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Seal every credential again with the first key, while all is running.

    Put the new key in front of the old one in HEADWATER_SECRET_KEYS first, and start every process
    again with both. The old one can be taken away when none is left on it.
    """
    do("keys", what="rotate", as_json=as_json)
