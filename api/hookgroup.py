"""``headwater webhooks``, as far as one sees it."""

from typing import Annotated

import typer

from api.options import EXIT_CODES, Json, NoColor, do

app = typer.Typer(no_args_is_help=True, epilog=EXIT_CODES, rich_markup_mode=None)

Webhook = Annotated[str, typer.Argument(help="Its id; `headwater webhooks list` shows it.")]


@app.command(epilog=EXIT_CODES)
def create(
    url: Annotated[str, typer.Argument(help="https; it is sent POST requests.")],
    *,
    event: Annotated[
        list[str] | None, typer.Option(help="What it is told; again for more. Without, all.")
    ] = None,
    description: Annotated[str, typer.Option(help="What it is for, to know it by.")] = "",
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Tell a program elsewhere what happens, and print the secret: nobody can show it again.

    \b
      headwater webhooks create https://app.example.com/headwater
      headwater webhooks create https://app.example.com --event run.succeeded --event run.failed
    """  # noqa: D301
    wanted = {"url": url, "events": event, "description": description}
    do("webhooks", what="create", as_json=as_json, **wanted)


@app.command("list", epilog=EXIT_CODES)
def listing(*, as_json: Json = False, _no_color: NoColor = False) -> None:
    """List who is told of what, newest first, and how that goes."""
    do("webhooks", what="list", as_json=as_json)


@app.command(epilog=EXIT_CODES)
def delete(webhook: Webhook, *, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Tell it nothing more, and forget it with its deliveries."""
    do("webhooks", what="delete", webhook=webhook, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def rotate(
    webhook: Webhook,
    *,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=168, help="How long the old one signs, too; 0: it leaked.")
    ] = 24,
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Make it another secret, and print that."""
    do("webhooks", what="rotate", webhook=webhook, overlap_hours=overlap_hours, as_json=as_json)


@app.command("test", epilog=EXIT_CODES)
def probe(webhook: Webhook, *, as_json: Json = False, _no_color: NoColor = False) -> None:
    """Have a webhook.test sent to it."""
    do("webhooks", what="test", webhook=webhook, as_json=as_json)


@app.command(epilog=EXIT_CODES)
def deliveries(
    webhook: Webhook,
    *,
    status: Annotated[
        str | None, typer.Option(help="Only those: pending, delivered or failed.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """List what it was told, newest first, and what did not reach it."""
    shown = {"status": status, "limit": limit}
    do("webhooks", what="deliveries", webhook=webhook, as_json=as_json, **shown)


@app.command(epilog=EXIT_CODES)
def replay(
    webhook: Webhook,
    delivery: Annotated[
        str | None, typer.Argument(help="Its id; `headwater webhooks deliveries` shows it.")
    ] = None,
    *,
    since: Annotated[
        str | None, typer.Option(help="Instead: all that failed in so long: 30m, 6h, 5d.")
    ] = None,
    as_json: Json = False,
    _no_color: NoColor = False,
) -> None:
    """Deliver again: one delivery, or all that failed lately.

    \b
      headwater webhooks replay 0193... 0193...
      headwater webhooks replay 0193... --since 5d
    """  # noqa: D301
    do("webhooks", what="replay", webhook=webhook, delivery=delivery, since=since, as_json=as_json)
