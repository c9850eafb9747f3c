"""``headwater deploy``, as far as one sees it: which version of the workers gets the runs."""

from typing import Annotated

import typer

from api.options import EXIT_CODES, Json, NoColor, do

app = typer.Typer(no_args_is_help=True, epilog=EXIT_CODES, rich_markup_mode=None)

Fleet = Annotated[str, typer.Argument(help="A version, as HEADWATER_VERSION of its workers.")]
Force = Annotated[bool, typer.Option("--force", help="Also if no worker of it is alive.")]


@app.command(epilog=EXIT_CODES)
def activate(
    version: Fleet, *, force: Force = False, as_json: Json = False, _no_color: NoColor = False
) -> None:
    """Give every run to a version. It ends a ramp.

    Runs under way move at their next checkpoint; the workers of other versions drain. Going back
    is activating the version before.

    \b
      headwater deploy activate 1.5.0
    """  # noqa: D301
    do("deploy", version=version, percent=None, force=force, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def ramp(
    version: Fleet,
    percent: Annotated[int, typer.Argument(min=0, max=100, help="Of the runs; 0 takes it back.")],
    *,
    force: Force = False,
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Give a share of the runs to a version.

    \b
      headwater deploy ramp 1.5.0 10
    """  # noqa: D301
    do("deploy", version=version, percent=percent, force=force, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def status(*, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Show the versions, their workers and their runs.

    A version that is drained holds no run: its workers may be stopped.
    """
    do("deploy", version=None, percent=None, force=False, as_json=as_json)
