"""The command line, as far as one sees it: names, options, help.

What a command does is in the module of its name in ``api.commands``, imported when the command is
asked for: ``headwater --help`` answers at once, and no command pays for what another one needs.
"""

from importlib.metadata import version
from typing import Annotated

import typer

from api import deletiongroup, deploying, hookgroup, keepinggroup, keygroup, schedulegroup
from api.options import EXIT_CODES, Json, NoColor, Run, do

app = typer.Typer(
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, and so secrets
    rich_markup_mode=None,
)


def main() -> None:
    app()


def _version(value: bool) -> None:  # noqa: FBT001  # typer calls it with the flag
    if value:
        typer.echo(f"headwater {version('headwater')}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
]


@app.callback()
def headwater(*, version: Version = False, _no_color: NoColor = False) -> None:
    """Turn a repository, a folder or an account into context that can be searched.

    \b
      headwater ingest .                          ingest this folder while you watch
      headwater search "where are retries done"   ask
      headwater up                                keep everything running, with a web page

    Everything is kept in HEADWATER_DATA_DIR. `headwater doctor` tells what is set up and how.
    """  # noqa: D301  # \b keeps the lines of a block as they are


@app.command(epilog=EXIT_CODES)
def up(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="HEADWATER_PORT", min=0, max=65535, help="0 takes a free one.")
    ] = 8420,
    _no_color: NoColor = False,
) -> None:
    """Run everything on this machine until Ctrl-C.

    That is the api with its web page, a worker, Redis and a Prefect server. HEADWATER_REDIS_URL,
    HEADWATER_DATABASE_URL and PREFECT_API_URL each replace one part by a server of yours. One
    Ctrl-C stops in order and loses nothing; a second one ends at once.

    \b
      headwater up
      headwater up --port 9000
    """  # noqa: D301
    do("up", host=host, port=port)


@app.command(epilog=EXIT_CODES)
def ingest(
    source: Annotated[
        str, typer.Argument(help="A folder or git repository here, or KIND:WHAT for an account.")
    ],
    *,
    owner: Annotated[str, typer.Option(help="Whose it is: a name of your choosing.")] = "local",
    detach: Annotated[
        bool, typer.Option("--detach", help="Only ask for it; needs a running `headwater up`.")
    ] = False,
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Ingest a source while you watch.

    What did not change since last time costs nothing. Uses the Headwater that runs on this data
    directory or at HEADWATER_API_URL; when there is none, starts one for as long as it takes.

    \b
      headwater ingest .
      headwater ingest ~/notes --owner ada
      GITHUB_TOKEN=... headwater ingest github:octocat/hello-world
      headwater ingest . --json | jq -c .counts
    """  # noqa: D301
    do("ingest", source=source, owner=owner, detach=detach, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def estimate(
    source: Annotated[
        str, typer.Argument(help="A folder or git repository here, or KIND:WHAT for an account.")
    ],
    *,
    owner: Annotated[str, typer.Option(help="Whose it is: a name of your choosing.")] = "local",
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Say what ingesting a source would come to: artifacts, tokens, money and time.

    The source is connected and looked at; nothing of it is read, and nothing is paid.

    \b
      headwater estimate .
      headwater estimate github:octocat/hello-world --json | jq .cost_usd
    """  # noqa: D301
    do("estimate", source=source, owner=owner, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def watch(
    run: Run,
    *,
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Watch a run to its end.

    Ctrl-C stops watching, not the run.

    \b
      headwater watch 0198c2de-7c55-7d6e-b6a5-3f0c54c6d0a1
    """  # noqa: D301
    do("watch", run=run, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def cancel(run: Run, *, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Stop a run for good.

    What was indexed is kept, and can be searched. Its worker stops at the next step.
    """
    do("wishes", ask="cancel", run=run, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def pause(run: Run, *, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Stop a run until it is resumed."""
    do("wishes", ask="pause", run=run, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def resume(run: Run, *, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Go on with a paused run, from where it was."""
    do("wishes", ask="resume", run=run, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def retry(run: Run, *, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Try again what failed in a run, in a new run.

    What has changed in the source is ingested, too. Prints the new run's id.

    \b
      headwater watch "$(headwater retry 0198c2de-7c55-7d6e-b6a5-3f0c54c6d0a1)"
    """  # noqa: D301
    do("wishes", ask="retry", run=run, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def answer(
    run: Run,
    said: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ANSWER]", help="One JSON object, or key=value for each field."),
    ] = None,
    *,
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Answer what a run asks, and let it go on. Without an answer, show the question.

    \b
      headwater answer 0198c2de-7c55-7d6e-b6a5-3f0c54c6d0a1
      headwater answer 0198c2de-7c55-7d6e-b6a5-3f0c54c6d0a1 approved=true note="Well done"
    """  # noqa: D301
    do("answer", run=run, said=said or [], as_json=as_json)


@app.command(epilog=EXIT_CODES)
def runs(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """List the runs, newest first."""
    do("runs", limit=limit, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def search(
    query: Annotated[str, typer.Argument(help="A question or some words.")],
    *,
    limit: Annotated[int, typer.Option(min=1, max=50, help="How many hits.")] = 5,
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Search everything that was ingested.

    Nothing needs to run for it.

    \b
      headwater search "where is the next sequence number given"
      headwater search retries --limit 1 --json
    """  # noqa: D301
    do("search", query=query, limit=limit, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def doctor(*, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Check this installation; say what to do."""
    do("doctor", as_json=as_json)


@app.command(epilog=EXIT_CODES)
def connect(
    kind: Annotated[str | None, typer.Argument(help="Of the source; without, you choose.")] = None,
    *,
    owner: Annotated[str, typer.Option(help="Whose it is: a name of your choosing.")] = "local",
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Print a link to a page that connects an account. Needs a running `headwater up`."""
    do("connect", what="connect", kind=kind, owner=owner, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def connections(*, as_json: Json = False, _no_color: NoColor = False) -> None:
    """List what is connected, newest first."""
    do("connect", what="list", kind=None, owner="", as_json=as_json)


@app.command(epilog=EXIT_CODES)
def disconnect(
    connection: Annotated[str, typer.Argument(help="Its id; `headwater connections` lists it.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="It is meant: this cannot be undone.")] = False,
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Revoke a grant, and erase every byte of a connection."""
    do("disconnect", connection=connection, yes=yes, as_json=as_json)


app.add_typer(keepinggroup.app)

app.add_typer(
    schedulegroup.app, name="schedule", help="Say when a connection is ingested by itself."
)

app.add_typer(deletiongroup.app, name="deletions", help="Say whether what a listing lacks is gone.")

app.add_typer(
    keygroup.app, name="keys", help="Keys of the api, and keys that credentials are sealed with."
)
app.add_typer(hookgroup.app, name="webhooks", help="Say which programs are told what happens.")
app.add_typer(deploying.app, name="deploy", help="Say which version of the workers gets the runs.")


if __name__ == "__main__":
    main()
