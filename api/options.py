"""What the commands have in common: options, exit codes, and how one is done."""

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


def do(command: str, **options: object) -> NoReturn:
    """Import the command's module, run it, and end the process as it says."""
    module = importlib.import_module(f"api.commands.{command}")
    ending = importlib.import_module("api.commands.ending")
    raise typer.Exit(ending.finish(module.run, options))
