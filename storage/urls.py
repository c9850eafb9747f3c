"""The URLs of databases, as our drivers understand them."""

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from storage.errors import SetupError

DRIVERS = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
}


def of_file(path: Path) -> str:
    return _text(URL.create("sqlite+aiosqlite", database=str(path)))


def normalised(given: str) -> str:
    """What people and hosting providers write, as our drivers understand it."""
    try:
        url = make_url(given.strip())
    except (ArgumentError, ValueError):
        # The cause would quote the URL, and with it the password.
        raise _not_a_database() from None
    driver = DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise _not_a_database()
    query = {("ssl" if name == "sslmode" else name): value for name, value in url.query.items()}
    return _text(url.set(drivername=driver, query=query))


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _not_a_database() -> SetupError:
    return SetupError(
        "HEADWATER_DATABASE_URL is not the URL of a database we can use.",
        action="Set it to postgresql://user:password@host:5432/name, or remove it to use SQLite.",
    )
