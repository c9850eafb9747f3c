"""Where pages are from, as people write it into settings and requests."""

from urllib.parse import urlsplit


def origin(value: str) -> str:
    """A scheme, a host and maybe a port, as a browser says them. Raises ``ValueError``."""
    url = urlsplit(value)
    if (
        url.scheme not in {"http", "https"}
        or not url.netloc
        or value != f"{url.scheme}://{url.netloc}"
    ):
        raise ValueError("is no origin such as https://app.example.com; `*` would be everybody")
    return value.lower()
