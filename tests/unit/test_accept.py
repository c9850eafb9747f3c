import pytest

from api.accept import best

OFFERED = ("text/event-stream", "application/x-ndjson", "application/json")


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, "text/event-stream"),
        ("", "text/event-stream"),
        ("*/*", "text/event-stream"),
        ("application/json", "application/json"),
        ("application/*", "application/x-ndjson"),
        ("application/json;q=0.5, application/x-ndjson", "application/x-ndjson"),
        ("text/event-stream;q=0, */*", "application/x-ndjson"),
        ("Application/JSON ; charset=utf-8", "application/json"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "text/event-stream"),
        ("image/png", None),
        ("application/json;q=0", None),
        ("application/json;q=much", None),
    ],
)
def test_the_most_wanted_offer_is_served(accept: str | None, wanted: str | None) -> None:
    assert best(accept, OFFERED) == wanted
